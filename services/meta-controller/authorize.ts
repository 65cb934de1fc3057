import { Code, ConnectError } from '@connectrpc/connect'
import type { AuthorizeResponse } from '../gen/nexus/governor/v1/governor_service_pb.ts'
import { AuthorizationOutcome } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { type Effect, negligible, probabilityOfHarm } from './analysis/effect.ts'
import { assessRisk, type Risk } from './analysis/risk.ts'
import { effectOfRounds } from './analysis/trial.ts'
import { appraise, limitsBeforeCanary } from './analysis/utility.ts'
import { detectionSeconds, rollbackSeconds } from './assumptions.ts'
import type { Experience } from './learn.ts'
import type { ObjectiveState } from './objective.ts'
import { budgetDrawnOn, type ProvenObligation } from './obligations.ts'
import { autonomyCode, presentRisk } from './present.ts'
import { withRetry } from './retry.ts'
import type { Stage, StageContext, StageOutcome } from './stage.ts'

/** The governor's word on a change, with the effect and the risk that it was shown. */
export interface Authorization {
  readonly outcome: 'permitted' | 'refused'
  readonly reasons: readonly string[]
  /** The DSSE envelope; empty when refused. */
  readonly envelope: string
  readonly effect: Effect
  readonly risk: Risk
}

const authorizeTimeoutMs = 10_000
const approvalPollMs = 1000
/** The same rounds give the same estimate. */
const estimateSeed = 1

/** Computes effect and risk of the change, asks the governor, and waits for a person where policy wants one. */
export const authorize: Stage<Authorization> = async (state, context) => {
  const experiences = await context.experiences.of(state.wish.target)
  const effect = effectOfRounds(state.results.propose!.benchmark, estimateSeed)
  const risk = assessRisk(riskInputOf(state, effect, experiences))
  const harmful = whyHarmful(effect, risk, state.results.decide!.obligations)
  // No need to ask anyone.
  if (harmful !== undefined) return declineHarmful(harmful, effect, risk)
  const response = await askUntilDecided(state, effect, risk, context)
  const permitted = response.outcome === AuthorizationOutcome.PERMITTED
  const result: Authorization = {
    outcome: permitted ? 'permitted' : 'refused',
    reasons: response.reasons,
    envelope: response.warrant?.envelope ?? '',
    effect,
    risk,
  }
  const reason = response.reasons.join('; ')
  const message = `${result.outcome} (risk ${risk.score} of 100): ${reason}`
  return permitted ? { result, message } : { result, message, end: { ending: 'refused', reason } }
}

/**
 * Makes a call that needs the warrant. Where the one that the journal holds is refused, as after a long canary, a long stop or a
 * clock that was set, the governor is asked once whether it still permits the same change, and the call is made with what it signs.
 * Errors: those of the call.
 */
export async function withWarrant<T>(
  state: ObjectiveState,
  context: StageContext,
  call: (warrant: { readonly envelope: string }) => Promise<T>,
): Promise<T> {
  const { envelope, effect, risk } = state.results.authorize!
  try {
    return await withRetry(() => call({ envelope }), context)
  } catch (error) {
    if (ConnectError.from(error).code !== Code.PermissionDenied) throw error
    const { outcome, warrant } = await askGovernor(requestOf(state, effect, risk), context)
    const permitted = outcome === AuthorizationOutcome.PERMITTED && warrant !== undefined
    if (!permitted || warrant.envelope === envelope) throw error
    return withRetry(() => call({ envelope: warrant.envelope }), context)
  }
}

/** What no gain outweighs: worse even at the better end of the interval, or a veto. */
function whyHarmful(
  effect: Effect,
  risk: Risk,
  obligations: readonly ProvenObligation[],
): string | undefined {
  const percent = (value: number) => `${Math.round(value * 100)} %`
  if (effect.origin === 'benchmark' && effect.low > negligible)
    return `the benchmark got slower by ${percent(effect.low)} to ${percent(effect.high)}`
  const standardError = (effect.high - effect.low) / (2 * 1.96)
  const prospect = { gain: -effect.estimate, standardError }
  const { vetoes } = appraise(prospect, risk, obligations, limitsBeforeCanary)
  return vetoes.length === 0 ? undefined : vetoes.map((veto) => veto.reason).join('; ')
}

function declineHarmful(reason: string, effect: Effect, risk: Risk): StageOutcome<Authorization> {
  const result: Authorization = { outcome: 'refused', reasons: [reason], envelope: '', effect, risk }
  return { result, message: reason, end: { ending: 'declined', reason } }
}

function riskInputOf(state: ObjectiveState, effect: Effect, experiences: readonly Experience[]) {
  const { observe, orient, propose } = state.results
  const { intervention } = state.results.decide!
  const promotions = experiences.filter(
    (one) => one.intervention === intervention && one.outcome === 'promoted',
  )
  return {
    trafficShare: orient!.trafficShare,
    harmProbability: probabilityOfHarm(effect),
    firstWeightPercent: observe!.steps[0]?.weightPercent ?? 100,
    detectionSeconds,
    ...budgetDrawnOn(observe!, orient!),
    rollbackSeconds,
    earlierPromotions: promotions.length,
    files: propose!.paths.length,
    lines: propose!.linesAdded + propose!.linesRemoved,
    refutations: effect.refutations?.length ?? 0,
    refutationsFailed: effect.refutations?.filter((one) => !one.passed).length ?? 0,
  }
}

async function askUntilDecided(
  state: ObjectiveState,
  effect: Effect,
  risk: Risk,
  context: StageContext,
): Promise<AuthorizeResponse> {
  const request = requestOf(state, effect, risk)
  for (;;) {
    const response = await askGovernor(request, context)
    if (response.outcome !== AuthorizationOutcome.AWAITING_APPROVAL) return response
    await context.awaitApproval(response.approval?.id ?? '', response.reasons)
    await context.clock.sleep(approvalPollMs, context.signal)
  }
}

function askGovernor(
  request: ReturnType<typeof requestOf>,
  context: StageContext,
): Promise<AuthorizeResponse> {
  const options = { signal: context.signal, timeoutMs: authorizeTimeoutMs }
  return withRetry(() => context.peers.governor.authorize(request, options), context)
}

function requestOf(state: ObjectiveState, effect: Effect, risk: Risk) {
  const change = state.results.propose!
  const evidence = {
    changeId: change.id,
    objectiveId: state.id,
    target: state.wish.target,
    intervention: state.results.decide!.intervention,
    baseCommit: change.baseCommit,
    tree: change.tree,
    digest: change.digest,
    author: change.author,
    authorDetail: change.authorDetail,
    checksPassed: change.checks.length > 0 && change.checks.every((check) => check.passed),
    blockingFindings: change.blockingFindings,
    paths: [...change.paths],
    risk: presentRisk(risk),
    effectLow: effect.low,
    effectHigh: effect.high,
    sandboxTier: change.sandboxTier,
  }
  return { evidence, autonomy: autonomyCode(state.wish.autonomy) }
}
