import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../platform/clock.ts'
import { outerMount } from './admit.ts'
import { type Cgroup, type CgroupHome, makeCgroup } from './cgroup.ts'
import type { Execution, Tier } from './execution.ts'
import { readTree } from './processes.ts'
import type { Identity, Room } from './room.ts'
import type { Launch, Usage } from './run.ts'
import { bubblewrapCommand } from './tier.bubblewrap.ts'
import { hostCommand, isOnPath } from './tier.host.ts'
import { unshareCommand } from './tier.unshare.ts'

/** What all runs of a sandbox share. */
export interface Surroundings {
  /** Where each run gets its folder; only NEXUS may enter it. */
  readonly folder: string
  readonly etc: string
  /** The system call filter for bubblewrap. */
  readonly filterFile: string
  readonly cgroupHome: CgroupHome | undefined
  /** First of the user ids for runs, when NEXUS is root. */
  readonly firstUid: number
  readonly clock: Clock
}

/**
 * How a process tier is started here. `private`: the scratch folder is a file system in memory that only the run
 * sees, with a size and a number of files. `folder`: a plain folder whose size is looked at while the run lasts.
 */
export interface ProcessRoute {
  readonly tier: Exclude<Tier, 'docker'>
  readonly scratch: 'private' | 'folder'
}

/** Files in a private scratch folder; each costs the kernel about a kilobyte. */
const maxScratchFiles = 20_000

/** Makes the folders and the control group of a run and builds its command lines. The guardian removes them again. */
export async function prepareLaunch(
  route: ProcessRoute,
  execution: Execution,
  slot: number,
  around: Surroundings,
): Promise<Launch> {
  const run = `nexus-run-${process.pid}-${randomBytes(6).toString('hex')}`
  const folder = path.join(around.folder, run)
  const room: Room = {
    execution,
    identity: identityFor(route, slot, around),
    run,
    scratch: path.join(folder, 'scratch'),
    root: path.join(folder, 'root'),
    etc: around.etc,
    memoryOfAll: around.cgroupHome !== undefined,
  }
  await mkdir(room.scratch, { recursive: true, mode: 0o700 })
  await mkdir(room.root)
  const cgroup = around.cgroupHome && makeCgroup(around.cgroupHome, run, execution.limits)
  try {
    return {
      tier: route.tier,
      outerCommand: outerCommand(route, room.identity),
      tierCommand: await tierCommand(route, room, folder),
      guardVariables: guardVariables(route, room, folder, cgroup, around.filterFile),
      stdin: execution.stdin,
      limits: execution.limits,
      outputs: execution.outputs,
      look: lookAt(route, room.scratch, cgroup),
      clock: around.clock,
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

function identityFor(route: ProcessRoute, slot: number, around: Surroundings): Identity {
  const uid = process.getuid?.() ?? 0
  if (uid === 0 && route.tier !== 'host') return { kind: 'other-user', uid: around.firstUid + slot }
  return { kind: 'same-user', uid, gid: process.getgid?.() ?? 0 }
}

function outerCommand(route: ProcessRoute, identity: Identity): readonly string[] {
  if (route.scratch === 'folder') return []
  const user = identity.kind === 'same-user' ? ['--user', '--map-root-user'] : []
  return ['unshare', ...user, '--mount', '--propagation', 'private', '--']
}

async function tierCommand(route: ProcessRoute, room: Room, folder: string): Promise<readonly string[]> {
  if (route.tier === 'bubblewrap') return bubblewrapCommand(room)
  if (route.tier === 'unshare') return unshareCommand(room)
  return hostCommand(room, await placeOnHost(room, folder))
}

function guardVariables(
  route: ProcessRoute,
  room: Room,
  folder: string,
  cgroup: Cgroup | undefined,
  filterFile: string,
): Record<string, string> {
  const owner =
    room.identity.kind === 'other-user' ? `uid=${room.identity.uid},gid=${room.identity.uid},` : ''
  const bounds = `size=${room.execution.limits.fileBytes},nr_inodes=${maxScratchFiles}`
  return {
    GUARD_SCRATCH: room.scratch,
    GUARD_TMPFS: route.scratch === 'private' ? `${bounds},mode=0755,${owner}nosuid,nodev,noexec` : '',
    GUARD_RUN: folder,
    GUARD_GROUPS: cgroup?.procsFiles.join(' ') ?? '',
    GUARD_FILTER: route.tier === 'bubblewrap' ? filterFile : '',
    GUARD_OUTPUTS: room.execution.outputs.length > 0 ? 'yes' : '',
    GUARD_SWEEP: route.tier === 'host' ? room.run : '',
    GUARD_OWN_GROUP: route.tier === 'host' && !isOnPath('setsid') ? 'yes' : '',
  }
}

function lookAt(
  route: ProcessRoute,
  scratch: string,
  cgroup: Cgroup | undefined,
): (guardian: number) => Usage {
  const folder = route.scratch === 'folder' ? new FolderSize(scratch) : undefined
  const hasProc = existsSync('/proc/self/stat')
  return (guardian) => {
    const fileBytes = folder?.look() ?? 0
    if (cgroup) return { ...cgroup.usage(), fileBytes }
    const memoryBytes = hasProc ? readTree(guardian).memoryBytes : 0
    return { memoryBytes, maxMemoryBytes: memoryBytes, outOfMemoryKills: 0, fileBytes }
  }
}

const statsAtOnce = 64

/** The size of a folder, measured over and over in the background: each look gives the last full figure. */
class FolderSize {
  readonly #folder: string
  #bytes = 0
  #measuring = false

  constructor(folder: string) {
    this.#folder = folder
  }

  look(): number {
    if (!this.#measuring) {
      this.#measuring = true
      void this.#measure().finally(() => {
        this.#measuring = false
      })
    }
    return this.#bytes
  }

  async #measure(): Promise<void> {
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true }).catch(() => [])
    // Too many files count as too many bytes: both limits are one to whoever pays for the disk.
    if (entries.length > maxScratchFiles) {
      this.#bytes = Number.MAX_SAFE_INTEGER
      return
    }
    const files = entries.filter((entry) => entry.isFile())
    let bytes = 0
    for (let first = 0; first < files.length; first += statsAtOnce) {
      const some = files.slice(first, first + statsAtOnce)
      const found = await Promise.all(
        some.map((file) => stat(path.join(file.parentPath, file.name)).catch(() => undefined)),
      )
      for (const one of found) bytes += (one?.blocks ?? 0) * 512
    }
    this.#bytes = bytes
  }
}

/**
 * Where the mounts show on the host: where they are, but one that has others inside is copied, so that they can be
 * linked in.
 */
async function placeOnHost(room: Room, folder: string): Promise<ReadonlyMap<string, string>> {
  const places = new Map<string, string>([['/scratch', room.scratch]])
  const { mounts } = room.execution
  for (const mount of mounts) {
    const outer = outerMount(mount, mounts)
    const place = outer ? (places.get(outer.path) ?? '') + mount.path.slice(outer.path.length) : undefined
    if (place !== undefined) {
      await rm(place, { recursive: true, force: true })
      await symlink(mount.hostPath, place)
    }
    if (mounts.some((other) => outerMount(other, mounts) === mount)) {
      const copy = path.join(folder, `mount-${places.size}`)
      await cp(mount.hostPath, copy, {
        recursive: true,
        verbatimSymlinks: true,
        filter: countUpTo(maxCopiedFiles),
      })
      await chmod(copy, 0o755)
      places.set(mount.path, copy)
    } else places.set(mount.path, place ?? mount.hostPath)
  }
  return places
}

/** Files of a target that are copied for a run on the host. */
const maxCopiedFiles = 50_000

function countUpTo(max: number): () => boolean {
  let count = 0
  return () => {
    count += 1
    if (count > max) throw new Error(`the mounted folder has more than ${max} files, too many to copy`)
    return true
  }
}
