import { type Burstiness, calibrate } from './burstiness.ts'
import { addLatencies, type Latencies, quantileBoundIndex, slowerThan } from './quantile.ts'
import type { ArmCounts } from './slot.ts'

/** What stable answered in some time before the canary. */
export interface PastArm {
  readonly seconds: number
  readonly arm: ArmCounts
}

/** What stable's past tells the judge. */
export interface Calibration {
  readonly seconds: number
  readonly burstiness: Readonly<Record<CalibratedName, Burstiness>>
  /** Stable's latencies over the last of it: where the bounds of what is slow come from. */
  readonly latencies: Latencies
  /** Sums over all of it, for the watch after the rollout. */
  readonly requests: number
  readonly errors: number
}

export type CalibratedName = 'errors' | 'refusals' | 'latency-p50' | 'latency-p95' | 'latency-p99'

/** The last five minutes tell what is slow now. */
const referenceSeconds = 300
/** Of slow requests less caution is needed, since a canary is given its tolerance too before its requests count as slow. */
const slowCertainty = 0.7

/** Reads the past, oldest first. No past gives the cautious answers of `calibrate`, and no latencies. */
export function calibrateJudge(past: readonly PastArm[], boundsMs: readonly number[]): Calibration {
  const latencies = recentLatencies(past, boundsMs)
  const events = (count: (arm: ArmCounts) => number, certainty?: number) =>
    calibrate(
      past.map(({ seconds, arm }) => ({ seconds, requests: arm.requests, events: count(arm) })),
      certainty,
    )
  const slow = (p: number) => {
    const index = quantileBoundIndex(latencies, p)
    if (index === undefined) return calibrate([], slowCertainty)
    const slower = ({ latencyCounts: counts }: ArmCounts) => slowerThan({ bounds: boundsMs, counts }, index)
    return events(slower, slowCertainty)
  }
  return {
    seconds: past.reduce((sum, { seconds }) => sum + seconds, 0),
    requests: past.reduce((sum, { arm }) => sum + arm.requests, 0),
    errors: past.reduce((sum, { arm }) => sum + arm.errors, 0),
    latencies,
    burstiness: {
      errors: events((arm) => arm.errors),
      refusals: events((arm) => arm.refusals),
      'latency-p50': slow(0.5),
      'latency-p95': slow(0.95),
      'latency-p99': slow(0.99),
    },
  }
}

function recentLatencies(past: readonly PastArm[], bounds: readonly number[]): Latencies {
  let sum: Latencies = { bounds, counts: Array<number>(bounds.length + 1).fill(0) }
  let seconds = 0
  for (const one of past.toReversed()) {
    if (seconds >= referenceSeconds) break
    seconds += one.seconds
    sum = addLatencies(sum, { bounds, counts: one.arm.latencyCounts })
  }
  return sum
}
