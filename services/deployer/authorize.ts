import type { KeyObject } from 'node:crypto'
import type { Repository } from '../platform/target/repository.ts'
import { verifyWarrant } from '../platform/warrant/verify.ts'

const digestTrailer = /^Nexus-Evidence: ([0-9a-f]{64})$/m

/** Whether a commit may be deployed, or why not in words. */
export type Authorization = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/**
 * Decides whether the warrant permits to deploy this very commit. Tree and parent are read from the mirror, and the digest of the
 * evidence from the commit's own trailer, so nothing is taken from the caller's word. Errors: TargetError when the mirror does not
 * have the commit.
 */
export async function authorize(
  request: { changeId: string; target: string; commit: string; envelope: string },
  context: { repository: Repository; publicKeys: readonly KeyObject[]; nowMs: number },
): Promise<Authorization> {
  const { changeId, target, commit, envelope } = request
  const { tree, parents, message } = await context.repository.commit(commit)
  if (parents.length !== 1)
    return { ok: false, reason: `commit ${commit} has ${parents.length} parents, a change has one` }
  const digest = digestTrailer.exec(message)?.[1] ?? ''
  const expected = { changeId, target, tree, baseCommit: parents[0]!, digest, action: 'deploy' as const }
  return verifyWarrant(envelope, { publicKeys: context.publicKeys, nowMs: context.nowMs, expected })
}
