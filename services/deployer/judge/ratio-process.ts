import {
  advance,
  type Bets,
  type BurstFilter,
  type BurstPrior,
  beginFilter,
  copyFilter,
  lnWealth,
  steady,
  withPrior,
} from './burst-filter.ts'

/**
 * An e-process on the ratio RR of two event rates, canary over stable, that stays valid however often it is looked at
 * (Lindon and Malek, NeurIPS 2022, arXiv 2011.03567). In a slot in which the canary had the share ρ of the requests, each of the
 * slot's events fell on the canary with probability θ(RR) = ρRR / (ρRR + 1 − ρ): the common rate cancels, so an incident that
 * strikes both arms is no evidence. The process bets on a mixture of alternatives; when the null is true it reaches 1/α with
 * probability α at most (Ville). Bursts that strike one arm alone are allowed for by `burst-filter.ts`.
 *
 * Assumed: events within a slot are rare or RR near one (otherwise the test is only more cautious), and a slot gains at most
 * `maxLnGain`, so that what happens within a second is not taken for many proofs.
 * Example: RR₀ = 1, ρ = ½, the one alternative 2, one event on the canary: E = (⅔) / (½) = 4/3.
 */
export interface RatioProcess {
  /** RR₀: at the edge of what the null says. */
  readonly nullRatio: number
  readonly filter: BurstFilter
}

/** What both arms had in one slot of a second or more. */
export interface RatioSlot {
  readonly stableRequests: number
  readonly stableEvents: number
  readonly canaryRequests: number
  readonly canaryEvents: number
  /** How long it is; a second when left out. */
  readonly seconds?: number
}

/** Ratios of 1.26, 1.6, 2, 2.5, 4, 6.3, 10, 25, 102 and 1024. Most is staked on what has to be found soon: twice and ten times the rate. */
const worseAlternatives = [
  { steps: 1, stake: 0.5 },
  { steps: 2, stake: 1 },
  { steps: 3, stake: 6 },
  { steps: 4, stake: 1.5 },
  { steps: 6, stake: 1 },
  { steps: 8, stake: 1 },
  { steps: 10, stake: 3 },
  { steps: 14, stake: 0.5 },
  { steps: 20, stake: 0.3 },
  { steps: 30, stake: 0.2 },
]
/** Ratios of 0.63, 0.5, 0.25 and 0.05. Few: what is hoped for is equality or better, and each further alternative costs evidence. */
const notWorseAlternatives = [
  { steps: -2, stake: 1 },
  { steps: -3, stake: 1 },
  { steps: -6, stake: 1 },
  { steps: -13, stake: 1 },
]
/** A tenth of the stakes is kept for what goes wrong later: a service that leaks or warms a cache fails after minutes. */
const lateStake = 0.1
const onsetPerSecond = 1 / 300

/** Bets that RR is above `nullRatio`. */
export function betOnWorse(nullRatio: number, maxLnGain: number, prior: BurstPrior = steady): RatioProcess {
  const bets = { alternatives: worseAlternatives, waiting: lateStake, onsetPerSecond, maxLnGain }
  return begin(nullRatio, bets, prior)
}

/** Bets that RR is below `nullRatio`, the margin that is tolerated: the mirror. */
export function betOnNotWorse(
  nullRatio: number,
  maxLnGain: number,
  prior: BurstPrior = steady,
): RatioProcess {
  return begin(
    nullRatio,
    { alternatives: notWorseAlternatives, waiting: 0, onsetPerSecond: 0, maxLnGain },
    prior,
  )
}

/** A process with bets of one's own. */
export function begin(nullRatio: number, bets: Bets, prior: BurstPrior): RatioProcess {
  return { nullRatio, filter: beginFilter(bets, prior) }
}

/** The process with what it is worth now, under another prior of bursts. */
export function recalibrateRatio(process: RatioProcess, prior: BurstPrior): RatioProcess {
  return { ...process, filter: withPrior(process.filter, prior) }
}

/** The process after one more slot. A slot in which only one arm had requests says nothing. */
export function observeRatio(process: RatioProcess, slot: RatioSlot): RatioProcess {
  const next = { ...process, filter: copyFilter(process.filter) }
  takeSlot(next, slot)
  return next
}

/** The same in place, for simulations. */
export function takeSlot({ nullRatio, filter }: RatioProcess, slot: RatioSlot): void {
  const { stableRequests, canaryRequests, stableEvents, canaryEvents, seconds = 1 } = slot
  const events = stableEvents + canaryEvents
  const isSilent = !(stableRequests > 0 && canaryRequests > 0 && events > 0)
  const share = canaryRequests / (canaryRequests + stableRequests)
  const canaryOdds = share * nullRatio
  advance(
    filter,
    seconds,
    isSilent
      ? undefined
      : (lnFactor, factor) => canaryEvents * lnFactor - events * Math.log(canaryOdds * factor + 1 - share),
  )
}

/** ln E: the evidence of the mixture. */
export function lnEvidence({ filter }: RatioProcess): number {
  return lnWealth(filter)
}
