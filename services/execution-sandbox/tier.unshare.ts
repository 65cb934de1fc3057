import { buildRoomScript } from './guardian.ts'
import {
  identityCommand,
  limitCommand,
  type Placement,
  placements,
  programCommand,
  type Room,
} from './room.ts'

/**
 * The command line of the unshare tier: util-linux and a shell do what bubblewrap does, without a system call filter (its
 * setpriv has one only from 2.40 on). It is already inside the user namespace when NEXUS is not root.
 */
export function unshareCommand(room: Room): readonly string[] {
  return [
    ...['setpriv', '--pdeathsig', 'KILL', '--'],
    ...['unshare', '--mount', '--pid', '--net', '--ipc', '--uts', '--cgroup', '--fork', '--kill-child=KILL'],
    ...['--', '/bin/sh', '-c', buildRoomScript, 'sandbox', room.root, room.execution.workingDirectory],
    ...placements(room).flatMap(placeWords),
    '--',
    ...limitCommand(room),
    ...identityCommand(room.identity, true),
    ...programCommand(room),
  ]
}

function placeWords(placement: Placement): readonly string[] {
  const what = placement.kind === 'link' ? placement.target : placement.source
  return [placement.kind, what, placement.path]
}
