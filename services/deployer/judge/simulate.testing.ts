import { type Calibration, calibrateJudge } from './calibration.ts'
import type { Judge, JudgeVerdict } from './judge.ts'
import { beginJudge, decide, observe } from './judge.ts'
import { type ArmCounts, addCounts } from './slot.ts'

/** How requests of one arm behave in second `second`. */
export interface ArmModel {
  readonly errorShare: (second: number) => number
  /** Median of a lognormal duration with sigma 0.5. */
  readonly medianMs: (second: number) => number
}

export interface RolloutModel {
  readonly stable: ArmModel
  readonly canary: ArmModel
  readonly requestsPerSecond: number
  readonly canaryShare: (second: number) => number
  readonly seconds: number
}

export const boundsMs = Array.from({ length: 80 }, (_, index) => 0.5 * 1.12 ** index)
export const judgeOptions = { alpha: 0.01, allowedErrorShare: 0.01, latencyTolerance: 0.25, boundsMs }

/** Ten minutes of a stable version's past under the same traffic, in slots of five seconds. */
export function calibrated(model: RolloutModel, random: () => number): Calibration {
  const past = Array.from({ length: 120 }, () => {
    const seconds = Array.from({ length: 5 }, () => slotOf({ ...model, canaryShare: () => 0 }, 0, random)[0])
    return { seconds: 5, arm: seconds.reduce(addCounts) }
  })
  return calibrateJudge(past, boundsMs)
}

/** Runs one rollout, looking every second, until the judge shows something, or only until it calls the canary worse. */
export function simulateRollout(
  model: RolloutModel,
  random: () => number,
  stopAt: 'any verdict' | 'worse' = 'any verdict',
  calibration?: Calibration,
): { verdict: JudgeVerdict; seconds: number; judge: Judge } {
  let judge = beginJudge({ ...judgeOptions, ...(calibration && { calibration }) })
  for (let second = 0; second < model.seconds; second++) {
    const [stable, canary] = slotOf(model, second, random)
    judge = observe(judge, { stable, canary }, second >= 3)
    const { verdict } = decide(judge)
    if (verdict === 'worse' || (verdict === 'not worse' && stopAt === 'any verdict'))
      return { verdict, seconds: second + 1, judge }
  }
  return { verdict: 'not enough evidence', seconds: model.seconds, judge }
}

function slotOf(model: RolloutModel, second: number, random: () => number): [ArmCounts, ArmCounts] {
  const arms = [emptyArm(), emptyArm()] as const
  for (let request = 0; request < model.requestsPerSecond; request++) {
    const isCanary = random() < model.canaryShare(second)
    const behaviour = isCanary ? model.canary : model.stable
    const arm = arms[isCanary ? 1 : 0]
    arm.requests++
    if (random() < behaviour.errorShare(second)) arm.errors++
    const durationMs = behaviour.medianMs(second) * Math.exp(0.5 * normal(random))
    const bucket = boundsMs.findIndex((bound) => durationMs <= bound)
    arm.latencyCounts[bucket === -1 ? boundsMs.length : bucket]!++
  }
  return [arms[0], arms[1]]
}

function emptyArm() {
  return {
    requests: 0,
    errors: 0,
    refusals: 0,
    latencyCounts: Array<number>(boundsMs.length + 1).fill(0),
  }
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
