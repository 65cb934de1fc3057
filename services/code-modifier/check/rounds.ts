import { meanOf, varianceOf } from '../../platform/statistics/order.ts'
import { studentQuantile } from '../../platform/statistics/student.ts'
import type { Samples } from './benchmark.ts'

/** The benchmark on the base and on the change, one right after the other, so that a slow minute of the machine hurts both. */
export interface Round {
  readonly before: Samples
  readonly after: Samples
  readonly changedFirst: boolean
}

/** Relative change of the time that the base's calls take; `low` and `high` bound a two-sided 95 % interval. */
export interface RoundsChange {
  readonly estimate: number
  readonly low: number
  readonly high: number
}

/** What one round alone, or none, can tell of how rounds differ. */
const unbounded = { low: -1, high: Number.POSITIVE_INFINITY }

/**
 * A paired t-interval over the logarithms of the rounds' ratios. Samples within a run share its machine and its moment; only rounds are
 * independent, so their number is what the interval's width follows. Example: ratios 1.1, 1.2, 1.3 give about 0.20 (−0.03, 0.47).
 */
export function changeOverRounds(rounds: readonly Pick<Round, 'before' | 'after'>[]): RoundsChange {
  const ratios = rounds.map(ratioOf).filter((ratio) => ratio > 0)
  const logs = ratios.map(Math.log)
  const mean = meanOf(logs)
  const estimate = Math.exp(mean) - 1
  if (logs.length < 2) return { estimate, ...unbounded }
  const half = studentQuantile(0.975, logs.length - 1) * Math.sqrt(varianceOf(logs) / logs.length)
  return { estimate, low: Math.exp(mean - half) - 1, high: Math.exp(mean + half) - 1 }
}

/** Time after over time before, for the calls that the base made; 1 where nothing took time. */
function ratioOf({ before, after }: Pick<Round, 'before' | 'after'>): number {
  let [timeBefore, timeAfter] = [0, 0]
  for (const [operation, samples] of Object.entries(before)) {
    const changed = after[operation]
    if (changed === undefined) continue
    timeBefore += meanOf(samples) * samples.length
    timeAfter += meanOf(changed) * samples.length
  }
  return timeBefore > 0 ? timeAfter / timeBefore : 1
}
