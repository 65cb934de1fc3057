import type { Judgement } from '../../services/deployer/judge/judge.ts'
import type { RolloutPlan } from '../../services/meta-controller/analysis/proof/plan.ts'
import type { Mass } from '../../services/meta-controller/analysis/root-cause/load.ts'
import type { ArmRecorder } from './arms.ts'
import { Guard } from './guard.ts'
import type { Simulation } from './simulator.ts'
import { type Intervention, promise, times } from './world.ts'

/** Share of the error budget of an hour that a rollout may cost when the change fails from its start, and when it fails at any later time. */
export const burnLimits = { maxBudgetShare: 0.1, maxLateBudgetShare: 0.25 } as const

/** How our changes are rolled out; the burn that it allows is proven before. */
export const rolloutPlan: RolloutPlan = {
  steps: [
    { weightPercent: 15, minSeconds: 15, maxSeconds: 45 },
    { weightPercent: 45, minSeconds: 15, maxSeconds: 240 },
  ],
  detectionSeconds: 6,
  rollbackSeconds: 1,
  sloWindowSeconds: 3600,
  allowedBadShare: 1 - promise.objective,
  ...burnLimits,
}

export interface RolloutResult {
  readonly ending: 'promoted' | 'aborted' | 'inconclusive'
  readonly judgement: Judgement
}

/** Seconds in which a canary's latency says nothing about its code. */
const warmUpSeconds = 3

/** Second by second through the steps, as the deployer does: at once back when the judge says worse, on when it says not worse. */
export function rollOut(
  simulation: Simulation,
  recorder: ArmRecorder,
  { edge, shipped }: Intervention,
  { latencyTolerance, mass }: { readonly latencyTolerance: number; readonly mass: Mass },
): RolloutResult {
  const service = edge.caller
  const guard = new Guard(recorder, service, latencyTolerance, times.onsetMs / 1000)
  const ended = (ending: RolloutResult['ending'], judgement: Judgement): RolloutResult => {
    if (ending === 'promoted') simulation.promote(service)
    else simulation.setWeight(service, 0)
    return { ending, judgement }
  }
  let judgement: Judgement = { verdict: 'not enough evidence', findings: [] }
  for (const [index, { weightPercent, minSeconds, maxSeconds }] of rolloutPlan.steps.entries()) {
    if (index > 0) guard.beginStep()
    simulation.setCanary(service, shipped, weightPercent / 100)
    for (let second = 1; second <= (maxSeconds ?? minSeconds); second++) {
      recorder.step()
      judgement = guard.look(index > 0 || second > warmUpSeconds)
      if (judgement.verdict === 'worse') return ended('aborted', judgement)
      if (judgement.verdict === 'not worse' && second >= minSeconds) break
    }
  }
  const isPromotable = judgement.verdict === 'not worse' && showsGain(judgement, mass)
  return ended(isPromotable ? 'promoted' : 'inconclusive', judgement)
}

/** A quantile that is lower by less is as it was; the 99th percentile of a canary swings more than the others. */
const leastGains: Readonly<Record<string, number>> = {
  'latency-p50': 0.05,
  'latency-p95': 0.05,
  'latency-p99': 0.2,
}

/** "Not worse" is enough to keep a canary, not to keep a change that was made for a gain: some of it has to be seen. */
function showsGain({ findings }: Judgement, mass: Mass): boolean {
  return findings.some(({ name, stableValue, canaryValue }) =>
    mass === 'errors'
      ? name === 'errors' && canaryValue < stableValue
      : canaryValue < (1 - (leastGains[name] ?? 1)) * stableValue,
  )
}
