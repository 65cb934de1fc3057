import type { Histogram } from '../../platform/signals/histogram.ts'

/**
 * How many requests took longer than `thresholdMs`. A bucket that the threshold cuts is counted as fast, so that the
 * answer never overstates. Example: bounds [10, 100], counts [5, 3, 2], threshold 10 gives 5, threshold 50 gives 2.
 */
export function slowerThan(latency: Histogram, thresholdMs: number): number {
  let slower = 0
  latency.counts.forEach((count, index) => {
    const lower = index === 0 ? 0 : (latency.upperBoundsMs[index - 1] ?? 0)
    if (lower >= thresholdMs) slower += count
  })
  return slower
}
