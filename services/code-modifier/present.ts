import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  type Change,
  ChangeSchema,
  Severity,
  ChangeState as StateCode,
} from '../gen/nexus/code_modifier/v1/change_pb.ts'
import { branchOf, type ChangeState } from './change.ts'

/** A change as the contract shows it. */
export function presentChange(state: ChangeState): Change {
  const { proposal } = state
  const { base, findings, refusal, turn: _, ...same } = proposal
  return create(ChangeSchema, {
    ...same,
    paths: [...proposal.paths],
    checks: [...proposal.checks],
    benchmark: proposal.benchmark.map((one) => ({ ...one, slices: [...one.slices] })),
    findings: findings.map((finding) => ({ ...finding, severity: severities[finding.severity] })),
    baseCommit: base,
    branch: branchOf(proposal.id),
    state: stateCode(state),
    commit: state.commit,
    revertCommit: state.revertCommit,
    refusal,
    createdAt: timestampFromMs(state.createdAtMs),
  })
}

const severities = { note: Severity.NOTE, blocking: Severity.BLOCKING }

function stateCode(state: ChangeState): StateCode {
  if (state.proposal.refusal !== '') return StateCode.REFUSED
  if (state.revertCommit !== undefined) return StateCode.REVERTED
  if (state.promoted) return StateCode.PROMOTED
  return state.commit === undefined ? StateCode.PROPOSED : StateCode.COMMITTED
}
