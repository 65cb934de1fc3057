import fs from 'node:fs'
import git from 'isomorphic-git'
import type { Narrator } from './narrator.ts'

const maxCommits = 20

export interface HistoryEntry {
  readonly commit: string
  readonly subject: string
  readonly trailers: readonly string[]
}

/** The newest commits of a branch, as `git log` has them; shown when there is a narrator. */
export async function showBranch(
  gitdir: string,
  branch: string,
  narrator?: Narrator,
): Promise<HistoryEntry[]> {
  const log = await git.log({ fs, gitdir, ref: `refs/heads/${branch}`, depth: maxCommits })
  const entries = log.map(({ oid, commit }) => {
    const lines = commit.message.trim().split('\n')
    return {
      commit: oid,
      subject: lines[0] ?? '',
      trailers: lines.filter((line) => line.startsWith('Nexus-')),
    }
  })
  const shown = entries
    .slice(0, 3)
    .flatMap((entry) => [
      `${entry.commit.slice(0, 10)} ${entry.subject}`,
      ...entry.trailers.map((line) => `           ${line}`),
    ])
  narrator?.verbatim(`git --git-dir=${gitdir} log ${branch}`, shown.join('\n'))
  return entries
}
