import { existsSync } from 'node:fs'
import path from 'node:path'
import { isBelowAny } from './admit.ts'
import { guardianPath } from './guardian.ts'
import { countThreads } from './processes.ts'
import { limitCommand, programCommand, type Room } from './room.ts'

/**
 * The command line of the host tier: a plain process in a session of its own, with limits where the system has
 * prlimit. Paths inside do not exist on the host, so mounts stand for themselves: arguments and values that begin
 * with the path of a mount are rewritten to `hostPaths`, which tells where each mount shows.
 */
export function hostCommand(room: Room, hostPaths: ReadonlyMap<string, string>): readonly string[] {
  const rewrite = (text: string) => onHost(text, hostPaths)
  const { execution } = room
  const rewritten: Room = {
    ...room,
    execution: {
      ...execution,
      command: execution.command.map(rewrite),
      environment: Object.fromEntries(
        Object.entries(execution.environment).map(([name, value]) => [name, rewrite(value)]),
      ),
    },
  }
  return [
    ...(isOnPath('setsid') ? ['setsid'] : []),
    ...['/bin/sh', '-c', 'cd "$1" || exit 125; shift; echo ready >&3; exec 3>&-; exec "$@"'],
    ...['sandbox', rewrite(execution.workingDirectory)],
    ...(isOnPath('prlimit') ? limitsOf(room) : []),
    ...programCommand(
      rewritten,
      room.scratch,
      `${path.dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    ),
  ]
}

/**
 * The kernel counts all that this user runs, so the limit on processes goes on top of that. It does not count for
 * root.
 */
function limitsOf(room: Room): readonly string[] {
  const processes = countThreads(room.identity.uid) + room.execution.limits.processes
  return limitCommand(room).map((word) => (word.startsWith('--nproc') ? `--nproc=${processes}` : word))
}

/** Whether the guardian finds a command; macOS has neither setsid nor prlimit. */
export function isOnPath(command: string): boolean {
  return guardianPath.split(':').some((folder) => existsSync(path.join(folder, command)))
}

/** The path on the host of a path inside; other text stays as it is. */
export function onHost(text: string, hostPaths: ReadonlyMap<string, string>): string {
  const inside = [...hostPaths.keys()]
    .filter((place) => isBelowAny(text, [place]))
    .sort((a, b) => b.length - a.length)[0]
  return inside === undefined ? text : (hostPaths.get(inside) ?? inside) + text.slice(inside.length)
}
