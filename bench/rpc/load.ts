/** What a round of calls has shown. */
export interface Round {
  readonly calls: number
  readonly callsPerSecond: number
  readonly latencyMsP50: number
  readonly latencyMsP99: number
}

/** Keeps `callers` calls in flight for `durationMs`. Errors: the first call that fails. */
export async function measure(
  call: () => Promise<unknown>,
  callers: number,
  durationMs: number,
): Promise<Round> {
  const latencies: number[] = []
  const startMs = performance.now()
  const endMs = startMs + durationMs
  const caller = async () => {
    for (let beganMs = performance.now(); beganMs < endMs; ) {
      await call()
      const nowMs = performance.now()
      latencies.push(nowMs - beganMs)
      beganMs = nowMs
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  const seconds = (performance.now() - startMs) / 1000
  latencies.sort((a, b) => a - b)
  return {
    calls: latencies.length,
    callsPerSecond: latencies.length / seconds,
    latencyMsP50: quantile(latencies, 0.5),
    latencyMsP99: quantile(latencies, 0.99),
  }
}

/** The nearest-rank quantile of sorted numbers. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}
