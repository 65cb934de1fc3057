import { readdirSync, readFileSync } from 'node:fs'

/** What a process and everything below it use. */
export interface TreeUsage {
  /** Anonymous and shared memory, without the pages of files such as the Node binary itself. */
  readonly memoryBytes: number
  readonly processes: number
}

/**
 * Sums over the tree below `root` as /proc shows it now. For machines without control groups. A process between two
 * parents may be missed once; the next look sees it.
 */
export function readTree(root: number): TreeUsage {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const parent = parentOf(Number(entry))
    if (parent === undefined) continue
    const siblings = children.get(parent)
    if (siblings) siblings.push(Number(entry))
    else children.set(parent, [Number(entry)])
  }
  const open = [...(children.get(root) ?? [])]
  let memoryBytes = 0
  let processes = 0
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    memoryBytes += memoryOf(pid)
    processes += 1
    open.push(...(children.get(pid) ?? []))
  }
  return { memoryBytes, processes }
}

/** Threads that a user runs on this machine: what the kernel compares with the limit on processes. */
export function countThreads(uid: number): number {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => read(`/proc/${pid}/status`))
    .filter((status) => Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) === uid)
    .reduce((sum, status) => sum + Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 0), 0)
}

function parentOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  // The name in parentheses may hold anything, so the fields count from its last parenthesis.
  const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  return Number.isInteger(parent) ? parent : undefined
}

function memoryOf(pid: number): number {
  const status = read(`/proc/${pid}/status`)
  return kibibytes(status, 'RssAnon') + kibibytes(status, 'RssShmem')
}

function kibibytes(status: string, field: string): number {
  return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // It has ended meanwhile.
  }
}

/** Whether a process has this id; one of another user counts. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
