/**
 * Burn rates over several windows. A rate of 1 spends exactly the error budget in the SLO's window. Google's SRE workbook
 * (chapter 5) and Sloth report a burn when a long and a short window both exceed a limit: over 30 days 14.4 in 1 h and 5 min
 * (2 % of the budget spent), 6 in 6 h and 30 min (5 %), 3 in 1 d and 2 h (10 %), 1 in 3 d and 6 h (10 %).
 * For another window the lengths scale with it, so that the limits and the shares of the budget stay the same:
 * an SLO over 1 h is judged over 5 s, 30 s, 2 min and 6 min, where the telemetry is fine enough for that.
 */
export interface WindowPair {
  readonly longS: number
  readonly shortS: number
  readonly limit: number
}

/** Good and bad requests in one slot of time; slots adjoin one another, oldest first. */
export interface CountSlot {
  readonly covered: boolean
  readonly requests: number
  readonly bad: number
}

/** What was seen in one pair of windows. */
export interface BurnRateReading extends WindowPair {
  readonly longRate: number
  readonly shortRate: number
  readonly burning: boolean
  /** False: telemetry does not cover both windows, or too few requests came to say anything. Such a pair never burns. */
  readonly covered: boolean
}

const referenceWindowS = 30 * 86_400
const referencePairs: readonly WindowPair[] = [
  { longS: 3_600, shortS: 300, limit: 14.4 },
  { longS: 21_600, shortS: 1_800, limit: 6 },
  { longS: 86_400, shortS: 7_200, limit: 3 },
  { longS: 259_200, shortS: 21_600, limit: 1 },
]

/** A window counts as covered when this share of its slots is. */
const minCoveredShare = 0.8
/** Fewer requests than this in the long window say nothing: one failure among ten is no rate. */
export const minRequests = 20
/** A single failed request is never a burn, however strict the SLO. */
export const minBadRequests = 2

/** The pairs for an SLO's window. Telemetry with a resolution of `resolutionS` cannot show shorter windows, so none is shorter than that. */
export function windowPairs(windowS: number, resolutionS: number): WindowPair[] {
  return referencePairs.map(({ longS, shortS, limit }) => ({
    longS: Math.max((longS * windowS) / referenceWindowS, 2 * resolutionS),
    shortS: Math.max((shortS * windowS) / referenceWindowS, resolutionS),
    limit,
  }))
}

/** Reads one pair off the newest slots. `target` is the promised share of good requests. Pure. */
export function readBurnRate(
  pair: WindowPair,
  slots: readonly CountSlot[],
  options: { slotS: number; target: number },
): BurnRateReading {
  const { slotS, target } = options
  const long = sumOfNewest(slots, pair.longS / slotS)
  const short = sumOfNewest(slots, pair.shortS / slotS)
  const longRate = burnRateOf(long, target)
  const shortRate = burnRateOf(short, target)
  const covered = long.covered && short.covered && long.requests >= minRequests && short.requests > 0
  const burning = covered && long.bad >= minBadRequests && longRate > pair.limit && shortRate > pair.limit
  return { ...pair, longRate, shortRate, burning, covered }
}

/** Share of bad requests over the share that is allowed; 0 without requests. 5 bad of 100 at a target of 0.99 burn at 5. */
export function burnRateOf({ requests, bad }: { requests: number; bad: number }, target: number): number {
  return requests > 0 ? bad / requests / (1 - target) : 0
}

/** Adds the newest slots up; those that are not covered add nothing. A window that reaches back further than the slots is not covered. */
export function sumOfNewest(slots: readonly CountSlot[], count: number): CountSlot {
  const wanted = Math.max(1, Math.round(count))
  const newest = slots.slice(-wanted).filter(({ covered }) => covered)
  return {
    covered: newest.length >= minCoveredShare * wanted,
    requests: newest.reduce((sum, slot) => sum + slot.requests, 0),
    bad: newest.reduce((sum, slot) => sum + slot.bad, 0),
  }
}
