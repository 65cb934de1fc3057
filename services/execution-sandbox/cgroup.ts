import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import type { Limits } from './execution.ts'

/**
 * Where this process may make control groups: always below its own, so that whatever holds this process holds the
 * sandboxes too. In version 1 each controller has its own folder; in version 2 both are the same.
 */
export interface CgroupHome {
  readonly version: 1 | 2
  readonly memory: string
  readonly pids: string
}

export interface CgroupUsage {
  readonly memoryBytes: number
  readonly maxMemoryBytes: number
  /** Times that the kernel killed a process here because the memory was used up. */
  readonly outOfMemoryKills: number
}

/** The control group of one run. The guardian removes its folders at the end, also when this process has died. */
export interface Cgroup {
  /** To be written `0` to by the process that joins. */
  readonly procsFiles: readonly string[]
  usage(): CgroupUsage
}

/** Finds a writable place, or tells why there is none and what would help. */
export function findCgroupHome(): { home?: CgroupHome; reason: string } {
  const mounts = readLines('/proc/self/mountinfo').map(parseMount)
  const own = readLines('/proc/self/cgroup').map((line) => line.split(':'))
  const unified = mounts.find((mount) => mount.type === 'cgroup2')
  const memory = ownFolder('memory', mounts, own)
  const pids = ownFolder('pids', mounts, own)
  const home: CgroupHome | undefined =
    memory && pids
      ? { version: 1, memory, pids }
      : unified && unifiedHome(unified, own.find((entry) => entry[0] === '0')?.[2] ?? '/')
  if (!home) return { reason: 'no control groups for memory and pids are mounted' }
  try {
    if (home.version === 2) enableControllers(home.memory)
    tryOut(home)
    return { home, reason: '' }
  } catch (error) {
    return {
      reason: `the control group ${home.memory} cannot be used (${(error as Error).message}): delegate it to NEXUS`,
    }
  }
}

interface MountLine {
  readonly type: string
  readonly root: string
  readonly point: string
  readonly options: readonly string[]
}

function parseMount(line: string): MountLine {
  const [left = '', right = ''] = line.split(' - ')
  const fields = left.split(' ')
  const [type = '', , options = ''] = right.split(' ')
  return { type, root: fields[3] ?? '/', point: fields[4] ?? '/', options: options.split(',') }
}

function ownFolder(
  controller: string,
  mounts: readonly MountLine[],
  own: readonly string[][],
): string | undefined {
  const mount = mounts.find((each) => each.type === 'cgroup' && each.options.includes(controller))
  const entry = own.find((fields) => fields[1]?.split(',').includes(controller))
  return mount && entry ? below(mount, entry[2] ?? '/') : undefined
}

function unifiedHome(mount: MountLine, own: string): CgroupHome {
  const folder = below(mount, own)
  return { version: 2, memory: folder, pids: folder }
}

function below(mount: MountLine, own: string): string {
  return path.join(mount.point, path.relative(mount.root, own))
}

function enableControllers(folder: string): void {
  const enabled = readFileSync(path.join(folder, 'cgroup.subtree_control'), 'utf8')
  if (enabled.includes('memory') && enabled.includes('pids')) return
  writeFileSync(path.join(folder, 'cgroup.subtree_control'), '+memory +pids')
}

function tryOut(home: CgroupHome): void {
  const name = `nexus-try-${process.pid}`
  for (const parent of new Set([home.memory, home.pids])) {
    const folder = path.join(parent, name)
    mkdirSync(folder)
    try {
      accessSync(path.join(folder, 'cgroup.procs'), constants.W_OK)
    } finally {
      rmdirSync(folder)
    }
  }
}

/**
 * Removes the groups of runs whose NEXUS is no more, with what still runs in them. Their guardians do that; this is
 * for a machine on which the guardians were killed too. `isOver` gets the process id in a group's name.
 */
export function removeLeftCgroups(home: CgroupHome, isOver: (pid: number) => boolean): void {
  for (const parent of new Set([home.memory, home.pids])) {
    for (const name of readdirSync(parent)) {
      const pid = Number(/^nexus-(?:run|try)-(\d+)/.exec(name)?.[1])
      if (!pid || !isOver(pid)) continue
      const folder = path.join(parent, name)
      for (const line of readLines(path.join(folder, 'cgroup.procs'))) {
        if (Number(line) > 0) trySet(() => process.kill(Number(line), 'SIGKILL'))
      }
      trySet(() => rmdirSync(folder))
    }
  }
}

/** Processes that the sandbox itself needs around a program: monitor, first process, guardian's child. */
const ownProcesses = 6

/** Makes the control group of a run. Errors: those of the file system, when the place has become unwritable. */
export function makeCgroup(home: CgroupHome, name: string, limits: Limits): Cgroup {
  const memory = path.join(home.memory, name)
  const pids = path.join(home.pids, name)
  for (const folder of new Set([memory, pids])) mkdirSync(folder)
  const set = (folder: string, file: string, value: number | string) =>
    writeFileSync(path.join(folder, file), String(value))
  set(pids, 'pids.max', limits.processes + ownProcesses)
  if (home.version === 1) {
    set(memory, 'memory.limit_in_bytes', limits.memoryBytes)
    trySet(() => set(memory, 'memory.memsw.limit_in_bytes', limits.memoryBytes))
  } else {
    set(memory, 'memory.max', limits.memoryBytes)
    set(memory, 'memory.oom.group', 1)
    trySet(() => set(memory, 'memory.swap.max', 0))
  }
  return {
    procsFiles: [...new Set([memory, pids])].map((folder) => path.join(folder, 'cgroup.procs')),
    usage: () => (home.version === 1 ? usageV1(memory) : usageV2(memory)),
  }
}

/** For what may be impossible without harm: swap is not counted everywhere, a process may have ended meanwhile. */
function trySet(write: () => void): void {
  try {
    write()
  } catch {
    return
  }
}

function usageV1(folder: string): CgroupUsage {
  return {
    memoryBytes: readNumber(path.join(folder, 'memory.usage_in_bytes')),
    maxMemoryBytes: readNumber(path.join(folder, 'memory.max_usage_in_bytes')),
    outOfMemoryKills: readField(path.join(folder, 'memory.oom_control'), 'oom_kill'),
  }
}

function usageV2(folder: string): CgroupUsage {
  return {
    memoryBytes: readNumber(path.join(folder, 'memory.current')),
    maxMemoryBytes: readNumber(path.join(folder, 'memory.peak')),
    outOfMemoryKills: readField(path.join(folder, 'memory.events'), 'oom_kill'),
  }
}

function readNumber(file: string): number {
  return Number(readLines(file)[0] ?? 0) || 0
}

function readField(file: string, name: string): number {
  const line = readLines(file).find((each) => each.startsWith(`${name} `))
  return Number(line?.split(' ')[1] ?? 0)
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n')
  } catch {
    return []
  }
}
