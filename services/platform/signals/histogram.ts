/** Counts by duration. `counts` has one more item than `upperBoundsMs`: the last counts what lies above all bounds. */
export interface Histogram {
  /** Ascending; each bound belongs to the bucket below it, as `le` does. */
  readonly upperBoundsMs: readonly number[]
  readonly counts: readonly number[]
}

export const emptyHistogram: Histogram = { upperBoundsMs: [], counts: [0] }

export function totalOf(histogram: Histogram): number {
  return histogram.counts.reduce((sum, count) => sum + count, 0)
}

/**
 * The duration in milliseconds below which the share `q` of the counts lies; undefined when there are none. Interpolated
 * within the bucket as by Prometheus's `histogram_quantile`: the lowest bucket begins at 0, and a quantile above all bounds is the
 * highest bound. `quantileOf({ upperBoundsMs: [10, 20], counts: [5, 5, 0] }, 0.75)` is 15.
 */
export function quantileOf(histogram: Histogram, q: number): number | undefined {
  const total = totalOf(histogram)
  if (total === 0) return undefined
  const rank = Math.min(1, Math.max(0, q)) * total
  let below = 0
  let lower = 0
  for (const [index, upper] of histogram.upperBoundsMs.entries()) {
    const count = histogram.counts[index] ?? 0
    if (count > 0 && below + count >= rank) return lower + ((upper - lower) * (rank - below)) / count
    below += count
    lower = upper
  }
  return histogram.upperBoundsMs.at(-1)
}

/**
 * One histogram of several. Where their bounds differ the common ones remain, as the counts in between cannot be told apart;
 * an empty one takes no part.
 */
export function sumHistograms(histograms: readonly Histogram[]): Histogram {
  const counted = histograms.filter((histogram) => totalOf(histogram) > 0)
  const [first, ...others] = counted.length > 0 ? counted : histograms.slice(0, 1)
  if (!first) return emptyHistogram
  const bounds = first.upperBoundsMs.filter((bound) =>
    others.every(({ upperBoundsMs }) => upperBoundsMs.includes(bound)),
  )
  const counts = new Array<number>(bounds.length + 1).fill(0)
  for (const histogram of [first, ...others]) addTo(counts, bounds, histogram)
  return { upperBoundsMs: bounds, counts }
}

function addTo(counts: number[], bounds: readonly number[], histogram: Histogram): void {
  let bucket = 0
  for (const [index, count] of histogram.counts.entries()) {
    const upper = histogram.upperBoundsMs[index] ?? Number.POSITIVE_INFINITY
    while (bucket < bounds.length && upper > (bounds[bucket] ?? 0)) bucket += 1
    counts[bucket] = (counts[bucket] ?? 0) + count
  }
}

/** From Prometheus's cumulative buckets, `le` in milliseconds with `+Inf` among them. */
export function fromCumulative(
  buckets: readonly { readonly le: number; readonly count: number }[],
): Histogram {
  const sorted = [...buckets].sort((a, b) => a.le - b.le)
  const counts = sorted.map(({ count }, index) => Math.max(0, count - (sorted[index - 1]?.count ?? 0)))
  const upperBoundsMs = sorted.map(({ le }) => le).filter(Number.isFinite)
  return { upperBoundsMs, counts: counts.length > upperBoundsMs.length ? counts : [...counts, 0] }
}
