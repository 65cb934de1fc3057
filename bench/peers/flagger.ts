import type { Arm, PeerJudge, Verdict, Window } from './judge.ts'

/** A Flagger canary's analysis; the defaults are those of its Istio tutorial. */
export interface FlaggerOptions {
  readonly name?: string
  readonly intervalS?: number
  /** So many failed checks, in total, roll the canary back. */
  readonly threshold?: number
  readonly stepWeight?: number
  readonly maxWeight?: number
  /** `request-success-rate` in percent: its least. */
  readonly leastSuccessPercent?: number
  /** `request-duration`, the 99th percentile: its most. Judged where the window has it. */
  readonly mostP99Ms?: number
}

/**
 * Flagger's progressive canary (pkg/controller/scheduler.go). Each interval: roll back when the failed checks have reached
 * the threshold, *before* the next check; else check; a failed check, or no data, adds one and holds the weight; a passed one
 * advances the weight by a step, and at the greatest weight promotes. The count never falls. The first tick, which only
 * routes the first step's share, has taken place when the judge is made.
 */
export function flagger(options: FlaggerOptions = {}): PeerJudge {
  const { intervalS = 60, threshold = 5, stepWeight = 10, maxWeight = 50 } = options
  let failedChecks = 0
  let weightPercent = stepWeight
  let ended: Verdict | undefined

  const tick = (window: Window): Verdict => {
    if (failedChecks >= threshold) return 'abort'
    if (!passes(window.canary, options)) {
      failedChecks++
      return 'continue'
    }
    if (weightPercent >= maxWeight) return 'promote'
    weightPercent = Math.min(100, weightPercent + stepWeight)
    return 'continue'
  }
  return {
    name: options.name ?? `Flagger, threshold ${threshold}`,
    intervalS,
    get weightPercent() {
      return weightPercent
    },
    observe(window) {
      if (ended !== undefined) return ended
      const verdict = tick(window)
      if (verdict !== 'continue') ended = verdict
      return verdict
    },
  }
}

/** No traffic is a failed check: the query gives no value. */
function passes(canary: Arm, { leastSuccessPercent = 99, mostP99Ms = 500 }: FlaggerOptions): boolean {
  if (!(canary.requests > 0)) return false
  const successPercent = (100 * (canary.requests - canary.errors)) / canary.requests
  return successPercent >= leastSuccessPercent && (canary.p99Ms ?? 0) <= mostP99Ms
}
