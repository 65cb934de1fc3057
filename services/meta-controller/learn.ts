import type { Effect } from './analysis/effect.ts'
import { type ComparedValues, effectOfCanary } from './analysis/trial.ts'
import { withWarrant } from './authorize.ts'
import type { ArmSeen, DeploymentResult, SlotSeen } from './deploy.ts'
import type { Ending, Metric, ObjectiveState } from './objective.ts'
import { withRetry } from './retry.ts'
import type { Stage, StageContext } from './stage.ts'

/** What became of a change, as the canary measured it against the stable version at the same time. */
export interface Experience {
  readonly objectiveId: string
  readonly turn: number
  readonly target: string
  readonly intervention: string
  /** The commit that the change started from. */
  readonly base: string
  readonly changeId: string
  readonly outcome: Ending
  readonly metric: Metric
  readonly stableValue: number
  readonly canaryValue: number
  readonly expected: Effect
  /** Relative change that the canary measured; null when it measured nothing. */
  readonly measured: number | null
  /** The same by AIPW over the canary's slots, with its refutations; absent where they were too few. */
  readonly effect?: Effect
  readonly canaryCount: number
  readonly reason: string
  readonly atMs: number
}

const gitTimeoutMs = 60_000

/** Sets git right (promote or revert) and journals the experience. */
export const learn: Stage<Experience> = async (state, context) => {
  const deployment = state.results.deploy!
  await settleGit(state, deployment, context)
  const experience = experienceOf(state, deployment, context.clock.nowMs())
  await context.experiences.add(experience)
  const message = `${deployment.ending}: ${deployment.reason}`
  return { result: experience, message, end: { ending: deployment.ending, reason: deployment.reason } }
}

async function settleGit(
  state: ObjectiveState,
  deployment: DeploymentResult,
  context: StageContext,
): Promise<void> {
  const { codeModifier } = context.peers
  const changeId = state.results.propose!.id
  const options = { signal: context.signal, timeoutMs: gitTimeoutMs }
  if (deployment.ending === 'promoted') {
    await withWarrant(state, context, (warrant) => codeModifier.promoteChange({ changeId, warrant }, options))
    context.report(`${state.results.decide!.branch} fast-forwarded to ${deployment.commit.slice(0, 10)}`)
  } else {
    const reason = deployment.reason.slice(0, maxReasonLength)
    const { change } = await withRetry(
      () => codeModifier.revertChange({ changeId, reason }, options),
      context,
    )
    context.report(`reverted on ${change?.branch} by ${change?.revertCommit.slice(0, 10)}`)
  }
}

const maxReasonLength = 2000

const evidenceNames: Record<Metric, string> = {
  latency_p50: 'latency-p50',
  latency_p95: 'latency-p95',
  latency_p99: 'latency-p99',
  error_rate: 'errors',
}

/** Pure. The measured change is missing when either side was not measured. */
export function experienceOf(state: ObjectiveState, deployment: DeploymentResult, atMs: number): Experience {
  const { propose, decide, authorize } = state.results
  const seen = deployment.evidence.find((one) => one.name === evidenceNames[state.wish.targetMetric])
  const measurable = seen !== undefined && seen.canaryCount > 0 && seen.stableValue > 0
  const effect = effectOfCanary(comparedValues(deployment.slots, state.wish.targetMetric), learningSeed)
  return {
    objectiveId: state.id,
    turn: state.turn,
    target: state.wish.target,
    intervention: decide!.intervention,
    base: propose!.baseCommit,
    changeId: propose!.id,
    outcome: deployment.ending,
    metric: state.wish.targetMetric,
    stableValue: seen?.stableValue ?? 0,
    canaryValue: seen?.canaryValue ?? 0,
    expected: authorize!.effect,
    measured: measurable ? seen.canaryValue / seen.stableValue - 1 : null,
    ...(effect !== undefined && { effect }),
    canaryCount: seen?.canaryCount ?? 0,
    reason: deployment.reason,
    atMs,
  }
}

/** The same slots give the same estimate. */
const learningSeed = 1

const metricOfArm: Record<Metric, (arm: ArmSeen) => number> = {
  latency_p50: (arm) => arm.p50Ms,
  latency_p95: (arm) => arm.p95Ms,
  latency_p99: (arm) => arm.p99Ms,
  error_rate: (arm) => arm.errors / arm.requests,
}

function comparedValues(slots: readonly SlotSeen[], metric: Metric): ComparedValues[] {
  const measure = (arm: ArmSeen) => (arm.requests > 0 ? metricOfArm[metric](arm) : undefined)
  return slots.map(({ startSeconds, weight, stable, canary }) => ({
    startSeconds,
    weightPercent: weight,
    stable: measure(stable),
    canary: measure(canary),
  }))
}
