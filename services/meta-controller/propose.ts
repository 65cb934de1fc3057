import { ConnectError } from '@connectrpc/connect'
import type { Change } from '../gen/nexus/code_modifier/v1/change_pb.ts'
import { ChangeState, Severity } from '../gen/nexus/code_modifier/v1/change_pb.ts'
import type { Author } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { invariant } from '../platform/invariant.ts'
import type { SlicedComparison } from './analysis/trial.ts'
import type { ObjectiveState } from './objective.ts'
import { withRetry } from './retry.ts'
import type { Stage, StageContext } from './stage.ts'

/** A change as the objective's journal keeps it: everything but the diff, which code-modifier has under its id. */
export interface ProposedChange {
  readonly id: string
  readonly state: ChangeState
  readonly baseCommit: string
  readonly tree: string
  readonly digest: string
  readonly summary: string
  readonly refusal: string
  readonly paths: readonly string[]
  readonly linesAdded: number
  readonly linesRemoved: number
  readonly author: Author
  readonly authorDetail: string
  readonly checks: readonly { readonly name: string; readonly passed: boolean; readonly detail: string }[]
  readonly blockingFindings: number
  readonly benchmark: readonly SlicedComparison[]
  readonly sandboxTier: string
  readonly profileShare: number
}

const proposeTimeoutMs = 600_000
const maxDetailLength = 500

/** Has code-modifier propose the change and pass on how it gets on. A refusal excludes the intervention and begins another turn. */
export const propose: Stage<ProposedChange> = async (state, context) => {
  const { intervention } = state.results.decide!
  const change = await withRetry(() => askForChange(state, intervention, context), context)
  const result = summaryOf(change)
  if (result.state !== ChangeState.REFUSED) {
    const lines = `+${result.linesAdded} −${result.linesRemoved}`
    return { result, message: `${result.summary} (${lines} lines in ${result.paths.join(', ')})` }
  }
  const message = `code-modifier refused ${intervention}: ${result.refusal}`
  return { result, message, exclude: { intervention, reason: result.refusal } }
}

async function askForChange(
  state: ObjectiveState,
  intervention: string,
  context: StageContext,
): Promise<Change> {
  const request = {
    objectiveId: state.id,
    turn: state.turn,
    target: state.wish.target,
    intervention,
    parameters: {},
  }
  const options = { signal: context.signal, timeoutMs: proposeTimeoutMs }
  for await (const { event } of context.peers.codeModifier.proposeChange(request, options)) {
    if (event.case === 'progress') context.report(`${event.value.step}: ${event.value.detail}`)
    if (event.case === 'change') return event.value
  }
  throw new ConnectError('code-modifier ended without a change')
}

function summaryOf(change: Change): ProposedChange {
  invariant(change.id !== '', 'a proposed change has an id')
  return {
    id: change.id,
    state: change.state,
    baseCommit: change.baseCommit,
    tree: change.tree,
    digest: change.digest,
    summary: change.summary,
    refusal: change.refusal,
    paths: change.paths,
    linesAdded: change.linesAdded,
    linesRemoved: change.linesRemoved,
    author: change.author,
    authorDetail: change.authorDetail,
    checks: change.checks.map(({ name, passed, detail }) => ({
      name,
      passed,
      detail: detail.slice(0, maxDetailLength),
    })),
    blockingFindings: change.findings.filter((finding) => finding.severity === Severity.BLOCKING).length,
    benchmark: change.benchmark.map((one) => ({
      operation: one.operation,
      samplesBefore: one.samplesBefore,
      samplesAfter: one.samplesAfter,
      meanBeforeMs: one.meanBeforeMs,
      meanAfterMs: one.meanAfterMs,
      p95BeforeMs: one.p95BeforeMs,
      p95AfterMs: one.p95AfterMs,
      relativeLow: one.relativeLow,
      relativeHigh: one.relativeHigh,
      slices: one.slices.map(({ round, changed, first, place, samples, meanMs }) => ({
        round,
        changed,
        first,
        place,
        samples,
        meanMs,
      })),
    })),
    sandboxTier: change.sandboxTier,
    profileShare: change.profileShare,
  }
}
