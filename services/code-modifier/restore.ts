import { Code, ConnectError } from '@connectrpc/connect'
import { openRepository } from '../platform/target/repository.ts'
import type { ChangeState } from './change.ts'
import { writeChangedTree } from './git/tree.ts'

/**
 * The tree of `head` with the files of a change as they were before it, for a target branch that went on since. Errors:
 * ConnectError failed_precondition when a later commit changed one of those files too: then a person has to decide.
 */
export async function restoredTree(gitdir: string, state: ChangeState, head: string): Promise<string> {
  const repository = openRepository(gitdir)
  const { proposal, commit = '' } = state
  const files = await Promise.all(
    proposal.paths.map(async (path) => {
      const [before, changed, now] = await Promise.all(
        [proposal.base, commit, head].map((at) => repository.readFile(at, path)),
      )
      if (!sameBytes(changed, now)) {
        const message = `${path} was changed again on ${proposal.targetBranch} after change ${proposal.id}: revert it by hand`
        throw new ConnectError(message, Code.FailedPrecondition)
      }
      return { path, content: before ?? null }
    }),
  )
  return writeChangedTree(gitdir, head, files)
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.from(a).equals(b)
}
