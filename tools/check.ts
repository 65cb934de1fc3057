import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'

const root = path.dirname(import.meta.dirname)
const maxCheckMs = 5 * 60_000
const maxOutputBytes = 4 * 1024 * 1024
/** Set to compare the contracts with another commit, for a break that is meant: NEXUS_CHECK_BASE=HEAD. */
const baseVariable = 'NEXUS_CHECK_BASE'

interface Outcome {
  readonly passed: boolean
  /** Shown when the check fails, and as a remark when it passes. */
  readonly output: string
}

interface Check {
  readonly name: string
  readonly run: () => Promise<Outcome>
}

/** What `npm run check` looks at. None of them changes a file of the working tree. */
const checks: readonly Check[] = [
  { name: 'types', run: () => command('tsc', ['-p', '.']) },
  { name: 'biome', run: () => command('biome', ['check', '--max-diagnostics=200', '.']) },
  { name: 'buf lint', run: () => command('buf', ['lint']) },
  { name: 'buf breaking', run: unbroken },
  { name: 'generated code is fresh', run: fresh },
  { name: 'tidy', run: tidy },
]

/** Runs a program of node_modules/.bin, or this Node, in the root. */
function command(program: string, args: readonly string[]): Promise<Outcome> {
  const own = [path.dirname(process.execPath), path.join(root, 'node_modules', '.bin')]
  const child = spawn(program === 'node' ? process.execPath : program, args, {
    cwd: root,
    env: { ...process.env, PATH: [...own, process.env.PATH].join(path.delimiter) },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: maxCheckMs,
    shell: process.platform === 'win32',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < maxOutputBytes) output += text
    })
  }
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ passed: false, output: `${program}: ${error.message}` }))
    child.on('close', (code, signal) => {
      const end = signal ? `\n${program} was ended by ${signal} (${maxCheckMs / 1000} s are the most)` : ''
      resolve({ passed: code === 0, output: code === 0 ? '' : `${output.trimEnd()}${end}` })
    })
  })
}

async function tidy(): Promise<Outcome> {
  const { passed, output } = await command('node', ['--test', '--test-reporter=dot', 'services/tidy.test.ts'])
  return { passed, output: output.slice(Math.max(0, output.indexOf('Failed tests'))) }
}

/** The contracts as they stand break nobody who speaks them as they stood before this work. */
async function unbroken(): Promise<Outcome> {
  const base = process.env[baseVariable] ?? earlierCommit()
  if (base === undefined) return { passed: true, output: 'not compared: there is no earlier commit here' }
  const outcome = await command('buf', ['breaking', '--against', `.git#ref=${base}`])
  if (outcome.passed) return { passed: true, output: `against ${base.slice(0, 10)}` }
  const hint = `compared with ${base}; if the break is meant, say so in CHANGELOG.md and run with ${baseVariable}=HEAD`
  return { passed: false, output: `${outcome.output}\n${hint}` }
}

/** Where this work left main: its common commit with origin/main, or on main itself the commit before. */
function earlierCommit(): string | undefined {
  const git = (...args: string[]) => {
    const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' })
    return status === 0 ? stdout.trim() : undefined
  }
  const head = git('rev-parse', 'HEAD')
  for (const main of ['origin/main', 'main']) {
    const common = git('merge-base', 'HEAD', main)
    if (common !== undefined && common !== head) return common
  }
  return git('rev-parse', '--verify', '--quiet', 'HEAD^1')
}

/** services/gen is what `buf generate` makes of the contracts today. */
async function fresh(): Promise<Outcome> {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-generated-'))
  try {
    const generated = await command('buf', ['generate', '--output', folder])
    if (!generated.passed) return generated
    const [wanted, found] = [path.join(folder, 'services', 'gen'), path.join(root, 'services', 'gen')].map(
      readTree,
    )
    const names = new Set([...(wanted?.keys() ?? []), ...(found?.keys() ?? [])])
    const stale = [...names].filter((name) => wanted?.get(name) !== found?.get(name))
    if (stale.length === 0) return { passed: true, output: '' }
    const list = stale.map((name) => `  services/gen/${name}`).join('\n')
    return { passed: false, output: `run \`npm run generate\`; not as the contracts have it:\n${list}` }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readTree(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  return new Map(
    files.map((entry) => {
      const file = path.join(entry.parentPath, entry.name)
      return [path.relative(folder, file), readFileSync(file, 'utf8')]
    }),
  )
}

/** Runs the checks, as many at once as there are processors, and tells each in its order. */
async function main(): Promise<void> {
  const waiting = checks.map((check) => ({ check, told: Promise.withResolvers<string>() }))
  const queue = [...waiting]
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) next.told.resolve(await tell(next.check))
  }
  const workers = Array.from({ length: Math.min(availableParallelism(), checks.length) }, work)
  for (const { told } of waiting) process.stdout.write(await told.promise)
  await Promise.all(workers)
}

async function tell({ name, run }: Check): Promise<string> {
  const startedMs = performance.now()
  const { passed, output } = await run()
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  if (!passed) process.exitCode = 1
  const remark = passed && output !== '' ? ` (${output})` : ''
  const line = `${passed ? 'ok  ' : 'FAIL'} ${name.padEnd(24)} ${seconds.padStart(5)} s${remark}\n`
  return passed ? line : `${line}${output.replace(/^/gm, '     ')}\n`
}

await main()
