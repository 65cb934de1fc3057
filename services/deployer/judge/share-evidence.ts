import { lnBeta } from '../../platform/statistics/special-functions.ts'

/** Requests' worth of prior belief in the share that is tested: reference intelligence.md 4.4, a = 50p, b = 50(1 − p). */
const priorStrength = 50
const bisections = 60

/** How many of the requests of one arm had something. */
export interface Share {
  readonly events: number
  readonly requests: number
}

/**
 * ln of the evidence against "the share of events is `share`", by a Beta mixture: E = B(a + S, b + n − S) / B(a, b) / (p^S (1 − p)^(n − S)).
 * An e-process when requests are independent (Robbins 1970; Lindon and Malek, arXiv 2011.03567).
 * Example: no event in 500 requests against one percent: e^3.8, which is 46 to 1.
 */
export function lnEvidenceAgainst(share: number, { events, requests }: Share): number {
  const [a, b] = [priorStrength * share, priorStrength * (1 - share)]
  const rest = requests - events
  return lnBeta(a + events, b + rest) - lnBeta(a, b) - events * Math.log(share) - rest * Math.log1p(-share)
}

/** Whether it is shown at level `alpha`, at whatever moment one looks, that the share of events is below `share`. */
export function isShownBelow(share: number, observed: Share, alpha: number): boolean {
  if (observed.requests === 0 || observed.events >= share * observed.requests) return false
  return lnEvidenceAgainst(share, observed) >= -Math.log(alpha)
}

/** Whether it is shown at level `alpha` that the share of events is above `share`. */
export function isShownAbove(share: number, observed: Share, alpha: number): boolean {
  if (observed.requests === 0 || observed.events <= share * observed.requests) return false
  return lnEvidenceAgainst(share, observed) >= -Math.log(alpha)
}

/** Upper limit of the share of events, valid at whatever moment one looks; 1 without requests. Example: 0 of 500 at 0.05 is 0.0081. */
export function upperLimit(observed: Share, alpha: number): number {
  if (observed.requests === 0) return 1
  let [low, high] = [observed.events / observed.requests, 1]
  for (let step = 0; step < bisections; step++) {
    const middle = (low + high) / 2
    if (middle < 1 && !isShownBelow(middle, observed, alpha)) low = middle
    else high = middle
  }
  return high
}
