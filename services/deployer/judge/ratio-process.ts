import { lnMeanExp } from '../../platform/statistics/special-functions.ts'

/**
 * An e-process on the ratio RR of two event rates, canary over stable, that stays valid however often it is looked at
 * (Lindon and Malek, NeurIPS 2022, arXiv 2011.03567). In a slot in which the canary had the share ρ of the requests, each of the
 * slot's events fell on the canary with probability θ(RR) = ρRR / (ρRR + 1 − ρ): the common rate cancels, so an incident that
 * strikes both arms is no evidence. The process bets on a mixture of alternatives; when the null is true it reaches 1/α with
 * probability α at most (Ville).
 *
 * Assumed: events within a slot are rare or RR near one (otherwise the test is only more cautious), and slots, not requests, are
 * the independent units: a slot gains at most `maxLnGain`, so that one burst is not taken for many proofs.
 * Example: RR₀ = 1, ρ = ½, the one alternative 3, one event on the canary: E = (¾) / (½) = 1.5.
 */
export interface RatioProcess {
  /** RR₀: at the edge of what the null says. */
  readonly nullRatio: number
  /** Above RR₀ to show that the canary is worse, below it to show that it is not. */
  readonly alternatives: readonly number[]
  /** Most that one slot may add to the logarithm. */
  readonly maxLnGain: number
  /** ln of the evidence for each alternative. */
  readonly logs: readonly number[]
}

/** What both arms had in one slot of a second or more. */
export interface RatioSlot {
  readonly stableRequests: number
  readonly stableEvents: number
  readonly canaryRequests: number
  readonly canaryEvents: number
}

const worseFactors = [1.15, 1.25, 1.4, 1.6, 2, 2.5, 3, 4, 6, 10, 20]
// Few: what is hoped for is equality or better, and each further alternative costs evidence.
const notWorseFactors = [0.6, 0.5, 0.25, 0.05]

/** Bets that RR is above `nullRatio`. */
export function betOnWorse(nullRatio: number, maxLnGain: number): RatioProcess {
  return begin(nullRatio, worseFactors, maxLnGain)
}

/** Bets that RR is below `nullRatio`, the margin that is tolerated: the mirror. */
export function betOnNotWorse(nullRatio: number, maxLnGain: number): RatioProcess {
  return begin(nullRatio, notWorseFactors, maxLnGain)
}

function begin(nullRatio: number, factors: readonly number[], maxLnGain: number): RatioProcess {
  const alternatives = factors.map((factor) => nullRatio * factor)
  return { nullRatio, alternatives, maxLnGain, logs: alternatives.map(() => 0) }
}

/** The process after one more slot. A slot in which only one arm had requests says nothing. */
export function observeRatio(process: RatioProcess, slot: RatioSlot): RatioProcess {
  const { stableRequests, canaryRequests, stableEvents, canaryEvents } = slot
  if (stableRequests <= 0 || canaryRequests <= 0 || stableEvents + canaryEvents === 0) return process
  const share = canaryRequests / (canaryRequests + stableRequests)
  const nullTheta = canaryProbability(share, process.nullRatio)
  const logs = process.logs.map((log, index) => {
    const theta = canaryProbability(share, process.alternatives[index]!)
    const gain =
      canaryEvents * Math.log(theta / nullTheta) + stableEvents * Math.log((1 - theta) / (1 - nullTheta))
    return log + Math.min(gain, process.maxLnGain)
  })
  return { ...process, logs }
}

/** ln E: the evidence of the mixture, all alternatives weighing the same. */
export function lnEvidence(process: RatioProcess): number {
  return lnMeanExp(process.logs)
}

function canaryProbability(share: number, ratio: number): number {
  return (share * ratio) / (share * ratio + 1 - share)
}
