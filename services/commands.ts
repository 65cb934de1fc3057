import { readFile } from 'node:fs/promises'
import { all, alone } from './all.ts'
import { verifyExport } from './platform/journal/export.ts'
import { createLog } from './platform/log.ts'
import { runUntilSignal } from './platform/process.ts'
import type { ServiceName } from './platform/service.ts'
import { serviceNames } from './serve.ts'
import { walkThrough } from './walkthrough/main.ts'
import { startTraffic } from './walkthrough/traffic.ts'

const usage = `usage: node services/main.ts <command>

  all                      every service in one process, on embedded back ends
  <service>                one service: ${serviceNames.join(', ')}
  demo [--json] [--stay]   the walk-through: NEXUS improves a small gRPC service under load, live
  load                     the customers and the supplier of the example, beside a running NEXUS
  verify-journal <file>    checks an exported journal without a server
  help                     this text

Settings are environment variables that begin with NEXUS_; SETTINGS.md lists them.
`

async function choose([command, ...rest]: readonly string[]): Promise<void> {
  if (command === 'all' && rest.length === 0) return all(process.env)
  if (isService(command) && rest.length === 0) return alone(command, process.env)
  if (command === 'demo' && rest.every((word) => word === '--json' || word === '--stay')) {
    return walkThrough(process.env, { json: rest.includes('--json'), stay: rest.includes('--stay') })
  }
  if (command === 'load' && rest.length === 0) return load(process.env)
  if (command === 'verify-journal' && rest.length === 1) return verifyJournal(rest[0] ?? '')
  const asked = command === 'help' || command === '--help'
  process[asked ? 'stdout' : 'stderr'].write(usage)
  process.exitCode = asked ? 0 : 2
}

function isService(command: string | undefined): command is ServiceName {
  return serviceNames.some((name) => name === command)
}

const supplierPort = 15_800
const callsPerSecond = 80

/** The traffic of the walk-through by itself, to a NEXUS that `npm start` runs. */
async function load(env: NodeJS.ProcessEnv): Promise<void> {
  const log = createLog({ level: 'info' })
  await runUntilSignal({ log }, async (life) => {
    const address = `127.0.0.1:${env.NEXUS_LOCAL_PORT ?? 15_080}`
    const onFailure = (message: string) => {
      log.error('traffic_ended', { message })
      process.exitCode = 1
      life.end()
    }
    const traffic = startTraffic({ supplierPort, address, ratePerSecond: callsPerSecond, onFailure })
    life.closers.add('traffic', traffic.stop)
    process.stdout.write(
      `${callsPerSecond} calls a second go to ${address}; the supplier answers on port ${supplierPort}\n`,
    )
  })
}

/** Takes the export itself, or the reply of the REST API that holds it. */
async function verifyJournal(file: string): Promise<void> {
  const text = await readFile(file, 'utf8')
  const verdict = verifyExport(journalIn(text) ?? text)
  if (verdict.ok) {
    process.stdout.write(`${file}: ${verdict.events} events, the chain is whole\n`)
    return
  }
  process.stderr.write(`${file}: line ${verdict.fault?.line}: ${verdict.fault?.reason}\n`)
  process.exitCode = 1
}

function journalIn(text: string): string | undefined {
  try {
    const { journal } = JSON.parse(text) as { journal?: unknown }
    return typeof journal === 'string' ? journal : undefined
  } catch {
    return undefined
  }
}

/** Faults that a person can mend are told in one line; anything else is a bug and shows its stack. */
const expected = new Set([
  'SettingsError',
  'DataFolderError',
  'PortError',
  'PolicyError',
  'KeyFileError',
  'ENOENT',
])

/** Runs one command; the exit code is set, never forced. */
export async function runCommand(words: readonly string[]): Promise<void> {
  try {
    await choose(words)
  } catch (thrown) {
    const error = thrown as Error & { code?: string }
    const known = expected.has(error.name) || expected.has(error.code ?? '')
    process.stderr.write(`nexus: ${known ? error.message : error.stack}\n`)
    process.exitCode = 1
  }
}
