import { normalCdf } from '../../platform/statistics/normal.ts'
import { studentQuantile } from '../../platform/statistics/student.ts'

/** An effect as a relative change of the target metric: -0.4 is 40 % less. For all our metrics less is better. */
export interface Effect {
  readonly estimate: number
  readonly low: number
  readonly high: number
  /** Where it comes from. */
  readonly origin: 'benchmark' | 'experience' | 'none'
  readonly observations: number
  /** `aipw`: doubly robust, over randomised slots; `ratio`: of the means. Absent where nothing is known. */
  readonly method?: 'aipw' | 'ratio'
  /** What tried to prove it wrong; with `aipw` only, like the two that follow. */
  readonly refutations?: readonly Refutation[]
  /** See Effect in the contract. */
  readonly eValue?: number
  readonly robustnessValue?: number
}

/** An attempt to prove an estimate wrong. */
export interface Refutation {
  readonly name: string
  readonly passed: boolean
  readonly remark: string
}

/** What the benchmark measured of one operation. Means in milliseconds; the interval is of the relative change of the mean. */
export interface OperationComparison {
  readonly operation: string
  readonly samplesBefore: number
  readonly samplesAfter: number
  readonly meanBeforeMs: number
  readonly relativeLow: number
  readonly relativeHigh: number
  readonly meanAfterMs: number
}

/** Nothing is known: any change is possible. It is what "never tried" looks like. */
export const unknownEffect: Effect = { estimate: 0, low: -1, high: 1, origin: 'none', observations: 0 }

/**
 * The effect on the mean time of a request as the benchmark mixes its operations: each operation counts by its share of the
 * time before. Limits are added with the same weights, which is wider than need be when operations are independent.
 * Example: A 9 of 10 ms going down by 50 % (−0.6, −0.4), B unchanged (−0.1, 0.1): −0.45 (−0.55, −0.35).
 */
export function effectOfBenchmark(comparisons: readonly OperationComparison[]): Effect {
  const used = comparisons.filter(
    (one) => one.samplesBefore > 0 && one.samplesAfter > 0 && one.meanBeforeMs > 0,
  )
  const totalMs = used.reduce((total, one) => total + one.meanBeforeMs * one.samplesBefore, 0)
  if (totalMs === 0) return unknownEffect
  const weighted = (value: (one: OperationComparison) => number) =>
    used.reduce((total, one) => total + (value(one) * one.meanBeforeMs * one.samplesBefore) / totalMs, 0)
  return {
    estimate: weighted((one) => one.meanAfterMs / one.meanBeforeMs - 1),
    low: weighted((one) => one.relativeLow),
    high: weighted((one) => one.relativeHigh),
    origin: 'benchmark',
    method: 'ratio',
    observations: used.reduce((total, one) => total + one.samplesBefore + one.samplesAfter, 0),
  }
}

/**
 * The effect that earlier canaries of the same intervention measured: mean and 95 % t-interval. One canary alone says little
 * of the next, so its interval stays that of the unknown. None at all: `unknownEffect`.
 */
export function effectOfExperience(measured: readonly number[]): Effect {
  const usable = measured.filter(Number.isFinite)
  const count = usable.length
  if (count === 0) return unknownEffect
  const estimate = usable.reduce((total, value) => total + value, 0) / count
  if (count === 1)
    return { estimate, low: -1, high: 1, origin: 'experience', observations: 1, method: 'ratio' }
  const variance = usable.reduce((total, value) => total + (value - estimate) ** 2, 0) / (count - 1)
  const half = studentQuantile(0.975, count - 1) * Math.sqrt(variance / count)
  return {
    estimate,
    low: estimate - half,
    high: estimate + half,
    origin: 'experience',
    observations: count,
    method: 'ratio',
  }
}

/** A change for the worse by less than this is one that nobody would notice; benchmarks of equal code differ by as much. */
export const negligible = 0.05

/**
 * Probability that the effect is a change for the worse that matters (above `negligible`), taking the interval for a 95 %
 * interval of a normal distribution. An unknown effect gives a half. Example: −0.15 (−0.35, 0.05) gives about 0.025.
 */
export function probabilityOfHarm(effect: Effect): number {
  if (effect.origin === 'none') return 0.5
  const standardError = (effect.high - effect.low) / (2 * 1.96)
  if (!(standardError > 0)) return effect.estimate > negligible ? 1 : 0
  return normalCdf((effect.estimate - negligible) / standardError)
}
