import { createHash, randomBytes } from 'node:crypto'
import { cp, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { runGuarded } from './guarded-command.ts'
import type { Manifest } from './manifest.ts'
import { TargetError } from './target-error.ts'

/** Files that decide what an install gives. */
const lockFiles = [
  'package.json',
  'package-lock.json',
  'npm-shrinkwrap.json',
  'yarn.lock',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'bun.lock',
  '.npmrc',
] as const

/** What a package manager needs of the machine to reach its registry and its cache; nothing else of it is passed on. */
const passedOn =
  /^(?:HOME|TMPDIR|LANG|(?:npm_config_\w+)|(?:https?|no|all)_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(?:FILE|DIR))$/i

export const installTimeoutMs = 300_000
const running = new Map<string, Promise<string>>()

export interface ProvideDependencies {
  /** A checkout of the target; it is only read. */
  readonly folder: string
  readonly manifest: Manifest
  /** `<data>/dependencies`. */
  readonly storeFolder: string
  readonly signal: AbortSignal
  /** The process's environment; only what a package manager needs is passed on. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/**
 * Gives the `node_modules` folder that the target's `commands.install` makes, running it once for each state of its lock files,
 * command, Node version and platform. Undefined when the target has no install command. The result is read-only by agreement:
 * checkouts link to it. Errors: TargetError with the end of the command's output.
 */
export async function provideDependencies(options: ProvideDependencies): Promise<string | undefined> {
  const { install } = options.manifest.commands
  if (install === undefined) return undefined
  const key = await keyOf(options.folder, install)
  const place = path.join(options.storeFolder, key)
  const modules = path.join(place, 'node_modules')
  if (await exists(modules)) return modules
  const inFlight = running.get(place) ?? installInto(place, install, options)
  running.set(place, inFlight)
  try {
    await inFlight
  } finally {
    running.delete(place)
  }
  return modules
}

async function keyOf(folder: string, install: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([install, process.version, process.platform, process.arch]))
  for (const name of lockFiles) {
    const content = await readFile(path.join(folder, name)).catch(() => undefined)
    hash.update(`\0${name}\0${content === undefined ? '-' : content.byteLength}\0`)
    if (content) hash.update(content)
  }
  return hash.digest('hex').slice(0, 32)
}

async function installInto(
  place: string,
  install: readonly string[],
  options: ProvideDependencies,
): Promise<string> {
  const temporary = `${place}.tmp-${randomBytes(6).toString('hex')}`
  try {
    await mkdir(options.storeFolder, { recursive: true, mode: 0o700 })
    await cp(options.folder, temporary, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => path.basename(source) !== 'node_modules',
    })
    await runInstall(install, temporary, options)
    const kept = `${temporary}-kept`
    await mkdir(kept)
    if (await exists(path.join(temporary, 'node_modules'))) {
      await rename(path.join(temporary, 'node_modules'), path.join(kept, 'node_modules'))
    } else await mkdir(path.join(kept, 'node_modules'))
    await renameUnlessThere(kept, place)
    return place
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

async function runInstall(
  install: readonly string[],
  folder: string,
  options: ProvideDependencies,
): Promise<void> {
  const result = await runGuarded({
    argv: install,
    folder,
    environment: installEnvironment(options.environment),
    timeoutMs: installTimeoutMs,
    signal: options.signal,
  })
  if (result.exitCode === 0) return
  const how = result.timedOut
    ? `did not end within ${installTimeoutMs / 1000} s`
    : `ended with ${result.exitCode}`
  throw new TargetError(
    'dependencies',
    `commands.install of ${options.manifest.name} (${install.join(' ')}) ${how}: ${result.outputTail.trim()}`,
  )
}

/** PATH begins with the Node that NEXUS runs on, so that dependencies are made for the Node that will load them. */
function installEnvironment(environment: ProvideDependencies['environment']): Record<string, string> {
  const passed: Record<string, string> = {
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${environment.PATH ?? '/usr/local/bin:/usr/bin:/bin'}`,
  }
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && passedOn.test(name)) passed[name] = value
  }
  return passed
}

async function renameUnlessThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    await rm(from, { recursive: true, force: true })
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

async function exists(place: string): Promise<boolean> {
  return (await stat(place).catch(() => undefined)) !== undefined
}
