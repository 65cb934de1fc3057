import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import type { Execution, Mount } from './execution.ts'

/**
 * As whom a program runs. `other-user`: NEXUS is root and gives each run a user id of its own, so that limits per
 * user hold and nothing of the host belongs to it. `same-user`: NEXUS is not root; a user namespace takes away what
 * its user has.
 */
export type Identity =
  | { readonly kind: 'other-user'; readonly uid: number }
  | { readonly kind: 'same-user'; readonly uid: number; readonly gid: number }

/** What a tier builds its command line from. Paths are of the host. */
export interface Room {
  readonly execution: Execution
  readonly identity: Identity
  /** Name of the run; also the value of NEXUS_RUN inside. */
  readonly run: string
  /** The folder that shows as /scratch. */
  readonly scratch: string
  /** An empty folder to build a root on. */
  readonly root: string
  /** Folder with the passwd, group, hosts and nsswitch.conf that programs see. */
  readonly etc: string
  /** Whether control groups hold the memory of all processes together. */
  readonly memoryOfAll: boolean
}

/** One thing that shows inside. */
export type Placement =
  | { readonly kind: 'link'; readonly target: string; readonly path: string }
  | {
      readonly kind: 'folder' | 'file' | 'device' | 'writable'
      readonly source: string
      readonly path: string
    }

export const scratchPath = '/scratch'
const insideNode = '/nexus/bin/node'
const searchPath = '/nexus/bin:/usr/local/bin:/usr/bin:/bin'
const systemFolders = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/nix/store']
const systemFiles = ['/etc/ld.so.cache', '/etc/ld.so.conf']
const ownEtcFiles = ['passwd', 'group', 'hosts', 'nsswitch.conf']
const devices = ['null', 'zero', 'full', 'random', 'urandom']

/** Everything that shows inside but /proc, outer places first. The system's own folders are the host's, read-only. */
export function placements(room: Room): readonly Placement[] {
  return [
    ...systemFolders.filter((folder) => existsSync(folder)).map(systemFolder),
    ...(existsSync('/etc/alternatives') ? [folder('/etc/alternatives', '/etc/alternatives')] : []),
    ...systemFiles.filter((file) => existsSync(file)).map((file) => placedFile(file, file)),
    ...ownEtcFiles.map((name) => placedFile(path.join(room.etc, name), `/etc/${name}`)),
    placedFile(process.execPath, insideNode),
    ...devices.map((name): Placement => ({ kind: 'device', source: `/dev/${name}`, path: `/dev/${name}` })),
    link('/proc/self/fd', '/dev/fd'),
    link('/proc/self/fd/0', '/dev/stdin'),
    link('/proc/self/fd/1', '/dev/stdout'),
    link('/proc/self/fd/2', '/dev/stderr'),
    { kind: 'writable', source: room.scratch, path: scratchPath },
    link('scratch', '/tmp'),
    ...room.execution.mounts.map((mount: Mount) => folder(mount.hostPath, mount.path)),
  ]
}

function systemFolder(place: string): Placement {
  return lstatSync(place).isSymbolicLink() ? link(readlinkSync(place), place) : folder(place, place)
}

function folder(source: string, place: string): Placement {
  return { kind: 'folder', source, path: place }
}

function placedFile(source: string, place: string): Placement {
  return { kind: 'file', source, path: place }
}

function link(target: string, place: string): Placement {
  return { kind: 'link', target, path: place }
}

/** A Node process maps this much without using it, so no smaller data limit lets it start. */
const leastDataBytes = 1024 ** 3

/** The limits that the kernel holds per process, as a command that goes before the program. */
export function limitCommand(room: Room): readonly string[] {
  const { limits } = room.execution
  const data = room.memoryOfAll ? [] : [`--data=${Math.max(limits.memoryBytes, leastDataBytes)}`]
  return [
    'prlimit',
    '--core=0',
    '--memlock=65536',
    `--nproc=${limits.processes}`,
    `--nofile=${limits.openFiles}`,
    `--fsize=${limits.fileBytes}`,
    ...data,
    '--',
  ]
}

/** Takes on the run's identity for good: no capabilities, none to be had. */
export function identityCommand(identity: Identity, withBoundingSet: boolean): readonly string[] {
  const user =
    identity.kind === 'other-user'
      ? [`--reuid=${identity.uid}`, `--regid=${identity.uid}`, '--clear-groups']
      : []
  const none = withBoundingSet ? ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all'] : []
  return ['setpriv', ...user, ...none, '--no-new-privs', '--']
}

/** The program with its whole environment. */
export function programCommand(room: Room, scratch = scratchPath, search = searchPath): readonly string[] {
  return ['env', '-i', ...environmentOf(room, scratch, search), ...room.execution.command]
}

/** The whole environment of a program as NAME=value; what the sandbox sets comes last and so wins. */
export function environmentOf(
  room: Pick<Room, 'run' | 'execution'>,
  scratch = scratchPath,
  search = searchPath,
): string[] {
  return [
    ...Object.entries(room.execution.environment).map(([name, value]) => `${name}=${value}`),
    `PATH=${search}`,
    `HOME=${scratch}`,
    `TMPDIR=${scratch}`,
    `NEXUS_SCRATCH=${scratch}`,
    `NEXUS_RUN=${room.run}`,
    'LANG=C.UTF-8',
  ]
}
