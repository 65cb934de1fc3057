import { readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pino } from 'pino'
import { describe, type StartedAll, startAll } from '../all.ts'
import { type Environment, embeddedEnvironment, root } from '../embedded.ts'
import { chassisSettings } from '../platform/chassis-settings.ts'
import { DataFolderError, lockDataFolder } from '../platform/data-folder.ts'
import { createLog } from '../platform/log.ts'
import { type Life, runUntilSignal } from '../platform/process.ts'
import { readSettings } from '../platform/settings.ts'
import { freePort } from './free-port.ts'
import { createJsonTeller, createTeller, type Narrator } from './narrator.ts'
import { playThrough } from './play.ts'
import { startTraffic } from './traffic.ts'

export interface WalkThroughOptions {
  readonly json: boolean
  /** Keeps serving when the walk-through has ended. */
  readonly stay: boolean
}

/**
 * `npm run demo`: starts everything in one process with the storefront under load, and shows NEXUS work on two objectives.
 * The exit code is 0 only if each stage did what it should.
 */
export async function walkThrough(own: Environment, { json, stay }: WalkThroughOptions): Promise<void> {
  const folder = path.resolve(own.NEXUS_DATA ?? path.join(root, '.nexus', 'demo'))
  await emptyDemoFolder(folder)
  const env = await demoEnvironment(own, folder)
  const settings = readSettings(chassisSettings, env)
  const logFile = path.join(folder, 'nexus.log')
  const log = createLog({
    level: settings.logLevel,
    destination: pino.destination({ dest: logFile, sync: false }),
  })
  const startedMs = performance.now()
  const write = (line: string) => void process.stdout.write(`${line}\n`)
  const elapsedMs = () => performance.now() - startedMs
  const narrator = json ? createJsonTeller(write, elapsedMs) : createTeller(write, elapsedMs)
  await runUntilSignal({ log }, async (life) => {
    narrator.chapter('Starting NEXUS and the storefront')
    const started = await startAll({ env, settings, log, life })
    narrator.tell(`everything runs in one process; its log is ${path.relative(process.cwd(), logFile)}`)
    const passed = await play(started, { env, life, narrator })
    if (!passed) process.exitCode = 1
    if (passed) narrator.tell('the walk-through is complete: every stage did what it should')
    if (!stay) return life.end()
    narrator.verbatim('The storefront stays under load; Ctrl-C ends everything', describe(started, env))
  })
}

const callsPerSecond = 80

async function play(
  started: StartedAll,
  { env, life, narrator }: { env: Environment; life: Life; narrator: Narrator },
): Promise<boolean> {
  const failures: string[] = []
  const beginTraffic = () => {
    const traffic = startTraffic({
      supplierPort: Number(env.NEXUS_DEMO_SUPPLIER_PORT),
      address: `127.0.0.1:${env.NEXUS_LOCAL_PORT}`,
      ratePerSecond: callsPerSecond,
      onFailure: (message) => failures.push(message),
    })
    life.closers.add('traffic', traffic.stop)
  }
  try {
    const passed = await playThrough(started, { env, narrator, signal: life.signal, beginTraffic })
    for (const failure of failures) narrator.check(failure, false)
    return passed && failures.length === 0
  } catch (error) {
    if (life.signal.aborted) return false
    for (const failure of failures) narrator.check(failure, false)
    narrator.check((error as Error).message, false)
    return false
  }
}

/** Lies in each folder that a demo has made, and says that the next demo may empty it. */
const marker = 'made-by-the-demo'

/**
 * The demo begins anew each time. Only a folder that a demo made is emptied, and not while a NEXUS runs on it.
 * Errors: DataFolderError.
 */
async function emptyDemoFolder(folder: string): Promise<void> {
  const lock = lockDataFolder(folder)
  try {
    const entries = (await readdir(folder)).filter((entry) => !/^(?:lock|owner)/.test(entry))
    if (entries.length > 0 && !entries.includes(marker)) {
      throw new DataFolderError(
        `the data folder ${folder} was not made by a demo, which would empty it: give NEXUS_DATA a new folder`,
      )
    }
    await writeFile(path.join(folder, marker), '')
    for (const entry of entries.filter((one) => one !== marker)) {
      await rm(path.join(folder, entry), { recursive: true, force: true })
    }
  } finally {
    lock.close()
  }
}

async function demoEnvironment(
  own: Environment,
  folder: string,
): Promise<Record<string, string | undefined>> {
  const supplierPort = own.NEXUS_DEMO_SUPPLIER_PORT ?? String(await freePort())
  return embeddedEnvironment({
    NEXUS_SANDBOX_ALLOW_HOST: 'true',
    NEXUS_OBSERVE_SECONDS: '12',
    NEXUS_BENCH_RUNS: '3',
    NEXUS_TARGET_ENVIRONMENT: `SUPPLIER_URL=http://127.0.0.1:${supplierPort}`,
    ...own,
    NEXUS_DEMO_SUPPLIER_PORT: supplierPort,
    NEXUS_DATA: folder,
  })
}
