import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { type Execution, greatestLimits, type Limits, type Mount } from './execution.ts'

/** Thrown for a request that no tier may run; the message names the field and the remedy. */
export class InvalidExecutionError extends Error {
  override readonly name = 'InvalidExecutionError'
}

/** Names that the sandbox sets itself, so that a request cannot point them elsewhere. */
export const ownVariables = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NEXUS_SCRATCH', 'NEXUS_RUN'] as const

/** Where the parts of the room itself lie; a mount there would cover them. */
const ownPlaces = ['/bin', '/dev', '/etc', '/lib', '/lib32', '/lib64', '/nexus', '/nix', '/proc', '/root']
const alsoOwnPlaces = ['/run', '/sbin', '/scratch', '/sys', '/tmp', '/usr', '/var']

/**
 * Checks an execution and resolves its mounts to real folders of the host, each below one of `mountRoots`, in the
 * order in which they must be mounted. Errors: InvalidExecutionError.
 */
export async function admit(execution: Execution, mountRoots: readonly string[]): Promise<Execution> {
  checkCommand(execution.command)
  checkEnvironment(execution.environment)
  checkLimits(execution.limits)
  for (const output of execution.outputs) checkOutput(output)
  const directory = execution.workingDirectory || execution.mounts[0]?.path || '/scratch'
  if (!isNormalAbsolute(directory)) {
    throw new InvalidExecutionError(`working_directory ${directory} must be an absolute path without . or ..`)
  }
  const roots = await Promise.all(mountRoots.map((root) => realpath(root).catch(() => path.resolve(root))))
  const mounts: Mount[] = []
  for (const mount of [...execution.mounts].sort((a, b) => a.path.length - b.path.length)) {
    mounts.push(await resolveMount(mount, roots))
  }
  await checkNesting(mounts)
  return { ...execution, mounts, workingDirectory: directory }
}

function checkCommand(command: readonly string[]): void {
  const program = command[0]
  if (!program) throw new InvalidExecutionError('command is empty: give the program and its arguments')
  if (program.includes('=') || program.startsWith('-')) {
    throw new InvalidExecutionError(`command ${program} must not contain "=" nor begin with "-"`)
  }
  if (command.some((word) => word.includes('\0'))) throw new InvalidExecutionError('command contains a NUL')
}

function checkEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new InvalidExecutionError(`environment has "${name}", which is not the name of a variable`)
    }
    if ((ownVariables as readonly string[]).includes(name)) {
      throw new InvalidExecutionError(`environment sets ${name}, which the sandbox sets itself: leave it out`)
    }
    if (value.includes('\0')) throw new InvalidExecutionError(`environment ${name} contains a NUL`)
  }
}

function checkLimits(limits: Limits): void {
  for (const name of Object.keys(greatestLimits) as (keyof Limits)[]) {
    const value = limits[name]
    if (!Number.isSafeInteger(value) || value < 1 || value > greatestLimits[name]) {
      throw new InvalidExecutionError(`limits.${name} is ${value}, must be from 1 to ${greatestLimits[name]}`)
    }
  }
}

function checkOutput(output: string): void {
  const inside = output.endsWith('/*') ? output.slice(0, -2) : output
  if (inside === '' || !isNormalAbsolute(`/${inside}`)) {
    throw new InvalidExecutionError(
      `outputs has "${output}", must be a path relative to the scratch folder without . or ..`,
    )
  }
}

function isNormalAbsolute(text: string): boolean {
  return text.startsWith('/') && !text.includes('\0') && path.posix.resolve(text) === text
}

async function resolveMount(mount: Mount, roots: readonly string[]): Promise<Mount> {
  if (!isNormalAbsolute(mount.path) || isBelowAny(mount.path, ['/']) === false || mount.path === '/') {
    throw new InvalidExecutionError(`mounts path ${mount.path} must be an absolute path without . or ..`)
  }
  if (isBelowAny(mount.path, [...ownPlaces, ...alsoOwnPlaces])) {
    throw new InvalidExecutionError(`mounts path ${mount.path} lies where the sandbox has its own files`)
  }
  const hostPath = await realpath(mount.hostPath).catch(() => '')
  // A folder that is not there and one that is not allowed read the same, so that nobody learns what exists on the host.
  if (hostPath === '' || !isBelowAny(hostPath, roots)) {
    throw new InvalidExecutionError(
      `mounts host_path ${mount.hostPath} is not a folder below one of NEXUS_SANDBOX_MOUNT_ROOTS`,
    )
  }
  const found = await stat(hostPath)
  if (!found.isDirectory())
    throw new InvalidExecutionError(`mounts host_path ${mount.hostPath} is not a folder`)
  const othersMayRead = (found.mode & 0o005) === 0o005
  if (process.getuid?.() === 0 && !othersMayRead) {
    throw new InvalidExecutionError(
      `mounts host_path ${mount.hostPath} cannot be read by other users, and the sandbox runs as one: chmod 0755 it`,
    )
  }
  return { hostPath, path: mount.path }
}

async function checkNesting(mounts: readonly Mount[]): Promise<void> {
  for (const [index, mount] of mounts.entries()) {
    if (mounts.some((other, at) => at < index && other.path === mount.path)) {
      throw new InvalidExecutionError(`mounts has ${mount.path} twice`)
    }
    const outer = outerMount(mount, mounts)
    if (!outer) continue
    const point = path.join(outer.hostPath, path.posix.relative(outer.path, mount.path))
    const found = await stat(point).catch(() => undefined)
    if (!found?.isDirectory() || (await realpath(point)) !== point) {
      throw new InvalidExecutionError(
        `mounts path ${mount.path} lies inside ${outer.path}, where it is not a folder: create an empty one there`,
      )
    }
  }
}

/** The innermost other mount that `mount` lies in. */
export function outerMount(mount: Mount, mounts: readonly Mount[]): Mount | undefined {
  return mounts
    .filter((other) => other !== mount && isBelowAny(mount.path, [other.path]))
    .sort((a, b) => b.path.length - a.path.length)[0]
}

/** Whether `place` is one of `roots` or lies below one. All are absolute and normal. */
export function isBelowAny(place: string, roots: readonly string[]): boolean {
  return roots.some((root) => place === root || place.startsWith(root.endsWith('/') ? root : `${root}/`))
}
