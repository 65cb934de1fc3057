import path from 'node:path'
import { isBelowAny } from './admit.ts'
import { firstProcessScript } from './guardian.ts'
import {
  identityCommand,
  limitCommand,
  type Placement,
  placements,
  programCommand,
  type Room,
} from './room.ts'

/**
 * The command line of the bubblewrap tier. Root starts it without a user namespace and the program takes on the run's own
 * user id inside, because only a user id of its own makes the limit on processes hold; others get a user namespace.
 * Descriptor 6 is the system call filter.
 */
export function bubblewrapCommand(room: Room): readonly string[] {
  const { identity } = room
  const asUser =
    identity.kind === 'other-user'
      ? ['--cap-drop', 'ALL', ...neededCapabilities.flatMap((name) => ['--cap-add', name])]
      : ['--unshare-user', '--uid', String(identity.uid), '--gid', String(identity.gid), '--cap-drop', 'ALL']
  return [
    'bwrap',
    ...['--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--die-with-parent', '--new-session', '--as-pid-1', '--hostname', 'sandbox'],
    ...asUser,
    ...['--seccomp', '6'],
    ...parentFolders(placements(room)).flatMap((folder) => ['--dir', folder]),
    ...placements(room).flatMap(placeOption),
    ...['--proc', '/proc', '--remount-ro', '/', '--chdir', room.execution.workingDirectory],
    ...['--', '/bin/sh', '-c', firstProcessScript, 'sandbox'],
    ...limitCommand(room),
    ...identityCommand(identity, identity.kind === 'other-user'),
    ...programCommand(room),
  ]
}

/** To become the run's user and to drop the rest; the program has none of them. */
const neededCapabilities = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP']

/** Folders that bubblewrap would make on the way, and then for their owner only. Those inside a mount exist already. */
function parentFolders(placed: readonly Placement[]): readonly string[] {
  const mounted = placed.filter(({ kind }) => kind === 'folder').map(({ path: place }) => place)
  const parents = new Set<string>()
  for (const { path: place } of placed) {
    const steps = path.posix.dirname(place).split('/').slice(1)
    for (let depth = 1; depth <= steps.length; depth += 1) {
      const parent = `/${steps.slice(0, depth).join('/')}`
      if (parent !== '/' && !isBelowAny(parent, mounted)) parents.add(parent)
    }
  }
  return [...parents]
}

function placeOption(placement: Placement): readonly string[] {
  switch (placement.kind) {
    case 'link':
      return ['--symlink', placement.target, placement.path]
    case 'writable':
      return ['--bind', placement.source, placement.path]
    case 'device':
      return ['--dev-bind', placement.source, placement.path]
    default:
      return ['--ro-bind', placement.source, placement.path]
  }
}
