import { type Histogram, quantileOf, sumHistograms, totalOf } from '../../../platform/signals/histogram.ts'
import { slowerThan } from '../histogram.ts'
import { type Judgement, judgeCounts, scoreOf } from './anomaly.ts'

/** What one slot of time saw; a slot without requests is one with zeros. */
export interface SlotSignals {
  readonly requests: number
  readonly errors: number
  readonly latency: Histogram
}

export type SlotMetric = 'traffic' | 'errors' | 'latency'

export interface SlotAnomaly extends Judgement {
  readonly metric: SlotMetric
  /** The quantile that `value` and `reference` are of, in milliseconds. Only of latency. */
  readonly quantile?: number
}

/**
 * Judges the recent slots of a service or an edge against the slots before them: traffic either way (requests per slot), errors
 * and latency upwards. Latency is the number of requests slower than a bucket's bound near the baseline's median, 90th and
 * 99th percentile, the strongest of the three after Bonferroni. Each pValue is of its metric alone: multiply by the number of
 * metrics and services looked at. All zero or no slots on either side give pValue 1.
 * Example: baseline 20 slots of 100 requests with 1 error, recent 5 such slots with 10 errors: errors has a pValue below 1e-12.
 */
export function judgeSlots(
  baseline: readonly SlotSignals[],
  recent: readonly SlotSignals[],
): readonly SlotAnomaly[] {
  const perSlot = ({ requests }: SlotSignals) => ({ events: requests, exposure: 1 })
  const perRequest = ({ errors, requests }: SlotSignals) => ({ events: errors, exposure: requests })
  const traffic = judgeCounts(baseline.map(perSlot), recent.map(perSlot), 'both')
  const errors = judgeCounts(baseline.map(perRequest), recent.map(perRequest), 'up')
  return [
    { metric: 'traffic', ...traffic },
    { metric: 'errors', ...errors },
    { metric: 'latency', ...judgeLatency(baseline, recent) },
  ]
}

const quantiles = [0.5, 0.9, 0.99] as const

function judgeLatency(
  baseline: readonly SlotSignals[],
  recent: readonly SlotSignals[],
): Judgement & { quantile: number } {
  const before = sumHistograms(baseline.map(({ latency }) => latency))
  const now = sumHistograms(recent.map(({ latency }) => latency))
  const bounds = new Map(quantiles.map((quantile) => [boundNear(before, quantile), quantile]))
  bounds.delete(undefined)
  let worst = { pValue: 1, quantile: 0.5 as number }
  for (const [boundMs, quantile] of bounds) {
    const { pValue } = slowRequests(baseline, recent, boundMs as number)
    const corrected = Math.min(1, pValue * bounds.size)
    if (corrected < worst.pValue) worst = { pValue: corrected, quantile }
  }
  const value = quantileOf(now, worst.quantile) ?? Number.NaN
  const reference = quantileOf(before, worst.quantile) ?? Number.NaN
  return { ...worst, score: scoreOf(worst.pValue), value, reference }
}

function slowRequests(baseline: readonly SlotSignals[], recent: readonly SlotSignals[], boundMs: number) {
  const slow = ({ latency }: SlotSignals) => ({
    events: slowerThan(latency, boundMs),
    exposure: totalOf(latency),
  })
  return judgeCounts(baseline.map(slow), recent.map(slow), 'up')
}

/** The lowest bound with at least the share `quantile` of the counts at or below it; undefined without counts or bounds. */
function boundNear(histogram: Histogram, quantile: number): number | undefined {
  const total = totalOf(histogram)
  if (total === 0) return undefined
  let below = 0
  for (const [index, bound] of histogram.upperBoundsMs.entries()) {
    below += histogram.counts[index] ?? 0
    if (below >= quantile * total) return bound
  }
  return histogram.upperBoundsMs.at(-1)
}
