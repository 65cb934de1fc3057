import { Code, ConnectError } from '@connectrpc/connect'
import { readBranch } from '../platform/target/refs.ts'
import { openRepository } from '../platform/target/repository.ts'
import type { ChangeState } from './change.ts'
import { type FileInTree, writeChangedTree } from './git/tree.ts'

/** What reverting a change means for its target branch. */
export type Restoration =
  /** It does not contain the change, or has its files as they were already. */
  | { readonly kind: 'nothing' }
  /** The change is its head: it goes on to the commit that reverts it. */
  | { readonly kind: 'follow'; readonly head: string }
  /** It went on since: a commit on top has this tree. */
  | { readonly kind: 'on top'; readonly head: string; readonly tree: string }

/**
 * Finds out what the target branch needs so that it is without the change. Moves nothing; asked again after a crash that came
 * behind the move, it finds nothing to do. Errors: ConnectError failed_precondition when a later commit changed a file of the
 * change too: then a person has to decide.
 */
export async function planRestoration(gitdir: string, state: ChangeState): Promise<Restoration> {
  const { proposal, commit = '' } = state
  const head = await readBranch(gitdir, proposal.targetBranch)
  if (head === undefined || !(await openRepository(gitdir).contains(head, commit))) return { kind: 'nothing' }
  if (head === commit) return { kind: 'follow', head }
  const files = await filesToRestore(gitdir, state, head)
  if (files.length === 0) return { kind: 'nothing' }
  return { kind: 'on top', head, tree: await writeChangedTree(gitdir, head, files) }
}

async function filesToRestore(gitdir: string, state: ChangeState, head: string): Promise<FileInTree[]> {
  const repository = openRepository(gitdir)
  const { proposal, commit = '' } = state
  const files: FileInTree[] = []
  for (const path of proposal.paths) {
    const [before, changed, now] = await Promise.all(
      [proposal.base, commit, head].map((at) => repository.readFile(at, path)),
    )
    if (sameBytes(before, now)) continue
    if (!sameBytes(changed, now)) {
      const message = `${path} was changed again on ${proposal.targetBranch} after change ${proposal.id}: revert it by hand`
      throw new ConnectError(message, Code.FailedPrecondition)
    }
    files.push({ path, content: before ?? null })
  }
  return files
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.from(a).equals(b)
}
