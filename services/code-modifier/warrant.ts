import type { KeyObject } from 'node:crypto'
import { Code, ConnectError } from '@connectrpc/connect'
import type { WarrantAction } from '../platform/warrant/statement.ts'
import { verifyWarrant } from '../platform/warrant/verify.ts'
import { type ChangeState, digestOfProposal } from './change.ts'

/**
 * Makes sure that a warrant permits exactly this change. The digest is computed anew from what the journal holds, so that evidence
 * that was changed after it was judged does not pass. Errors: ConnectError permission_denied with the reason.
 */
export function requireWarrant(
  state: ChangeState,
  envelope: string,
  { action, publicKeys, nowMs }: { action: WarrantAction; publicKeys: readonly KeyObject[]; nowMs: number },
): void {
  const { digest: stored, ...evidence } = state.proposal
  const digest = digestOfProposal(evidence)
  if (digest !== stored) throw denied('the evidence is not what was digested when the change was proposed')
  const { id: changeId, target, tree, base: baseCommit } = state.proposal
  const expected = { changeId, target, tree, baseCommit, digest, action }
  const verdict = verifyWarrant(envelope, { publicKeys, nowMs, expected })
  if (!verdict.ok) throw denied(verdict.reason)
}

function denied(reason: string): ConnectError {
  return new ConnectError(`the warrant is refused: ${reason}`, Code.PermissionDenied)
}
