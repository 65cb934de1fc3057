/** Bounds of Istio's histogram in milliseconds, from `istio_request_duration_milliseconds`; what is published. */
export const istioBoundsMs = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000] as const

const firstJudgeBoundMs = 0.25
const judgeBoundRatio = 1.12

/** Bounds that the judge reads the splitter by: twelve percent apart, so that a quarter more latency can be seen; up to 65 s. */
export const judgeBoundsMs: readonly number[] = Array.from(
  { length: 111 },
  (_, index) => firstJudgeBoundMs * judgeBoundRatio ** index,
)

/** Index of the first bound that is not below `durationMs`; the number of bounds when it is past them all. */
export function bucketOf(bounds: readonly number[], durationMs: number): number {
  let [low, high] = [0, bounds.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (bounds[middle]! < durationMs) low = middle + 1
    else high = middle
  }
  return low
}
