import { calibrateJudge } from '../../services/deployer/judge/calibration.ts'
import {
  beginJudge,
  beginStep,
  decide,
  type Judgement,
  type JudgeOptions,
  observe,
} from '../../services/deployer/judge/judge.ts'
import { judgeBoundsMs } from '../../services/deployer/splitter/bounds.ts'
import type { RolloutPlan } from '../../services/meta-controller/analysis/proof/plan.ts'
import type { ArmRecorder } from './arms.ts'
import type { Simulation } from './simulator.ts'
import { type Intervention, promise } from './world.ts'

/** How our changes are rolled out; the burn that it allows is proven before. */
export const rolloutPlan: RolloutPlan = {
  steps: [
    { weightPercent: 12, minSeconds: 20, maxSeconds: 60 },
    { weightPercent: 36, minSeconds: 20, maxSeconds: 120 },
  ],
  detectionSeconds: 6,
  rollbackSeconds: 1,
  sloWindowSeconds: 3600,
  allowedBadShare: 1 - promise.objective,
  maxBudgetShare: 0.1,
  maxLateBudgetShare: 0.25,
}

export interface RolloutResult {
  readonly ending: 'promoted' | 'aborted' | 'inconclusive'
  readonly judgement: Judgement
}

/** Second by second through the steps, as the deployer does: at once back when the judge says worse, on when the step has lasted. */
export function rollOut(
  simulation: Simulation,
  recorder: ArmRecorder,
  intervention: Intervention,
  options: Pick<JudgeOptions, 'latencyTolerance'>,
): RolloutResult {
  const service = intervention.edge.caller
  const past = recorder.slotsOf(service).map(({ stable }) => ({ seconds: 1, arm: stable }))
  let judge = beginJudge({
    alpha: 0.01,
    allowedErrorShare: 1 - promise.objective,
    boundsMs: judgeBoundsMs,
    calibration: calibrateJudge(past, judgeBoundsMs),
    ...options,
  })
  const { steps } = rolloutPlan
  for (const [index, step] of steps.entries()) {
    if (index > 0) judge = beginStep(judge)
    const isLast = index === steps.length - 1
    simulation.setCanary(service, intervention.shipped, step.weightPercent / 100)
    for (let second = 1; second <= (step.maxSeconds ?? step.minSeconds); second++) {
      recorder.step()
      judge = observe(judge, recorder.slotsOf(service).at(-1)!, index > 0 || second > 3)
      const judgement = decide(judge)
      if (judgement.verdict === 'worse') return ended('aborted', judgement)
      if (second < step.minSeconds) continue
      if (isLast && judgement.verdict === 'not worse') return ended('promoted', judgement)
      if (!isLast && judgement.verdict === 'not worse') break
    }
  }
  return ended('inconclusive', decide(judge))

  function ended(ending: RolloutResult['ending'], judgement: Judgement): RolloutResult {
    if (ending === 'promoted') simulation.promote(service)
    else simulation.setWeight(service, 0)
    return { ending, judgement }
  }
}
