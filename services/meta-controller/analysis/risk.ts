/** What the risk of a change is computed from: its diff, the topology and the plan of its rollout. Nothing that its author says. */
export interface RiskInput {
  /** Share of the observed requests that the changed services handle, 0 to 1. */
  readonly trafficShare: number
  /** Probability that the effect is harmful; see `probabilityOfHarm`. */
  readonly harmProbability: number
  readonly firstWeightPercent: number
  /** Time from a canary that fails each request to the judge's abort, in seconds. */
  readonly detectionSeconds: number
  /** Length of the SLO's window, in seconds, and the share of bad requests that it allows. */
  readonly sloWindowSeconds: number
  readonly allowedBadShare: number
  readonly rollbackSeconds: number
  /** Promotions of the same intervention at this target. */
  readonly earlierPromotions: number
  readonly files: number
  readonly lines: number
}

/** As the governor takes it; see RiskVector in the contract. */
export interface Risk {
  readonly blastRadius: number
  readonly harmProbability: number
  readonly worstBurn: number
  readonly rollbackS: number
  readonly novelty: number
  readonly files: number
  readonly lines: number
  readonly score: number
}

/** What each dimension at its worst does to the chance that all goes well. Chosen, not fitted: a later issue measures them. */
const weights = { blast: 0.15, harm: 0.3, burn: 0.25, novelty: 0.08, rollback: 0.1, size: 0.1 }

/**
 * The risk vector. `score` = 100 × (1 − Π (1 − weight × dimension)), each dimension clamped to 0…1: it grows with each
 * dimension and never shrinks, so more risk never turns a "no" into a "yes".
 * Worst burn: a canary that fails each request from its first second until the judge aborts, as a share of the error budget.
 */
export function assessRisk(input: RiskInput): Risk {
  const blastRadius = clamp(input.trafficShare)
  const budgetSeconds = Math.max(1, input.sloWindowSeconds * input.allowedBadShare)
  const worstBurn = (Math.max(0, input.firstWeightPercent) / 100) * (input.detectionSeconds / budgetSeconds)
  const novelty = 1 / (1 + Math.max(0, input.earlierPromotions))
  const harmProbability = clamp(input.harmProbability)
  const allWell =
    (1 - weights.blast * blastRadius) *
    (1 - weights.harm * harmProbability) *
    (1 - weights.burn * clamp(worstBurn)) *
    (1 - weights.novelty * novelty) *
    (1 - weights.rollback * clamp(input.rollbackSeconds / 60)) *
    (1 - weights.size * clamp(input.lines / 200))
  const score = Math.min(100, Math.round(100 * (1 - allWell)))
  const { files, lines, rollbackSeconds: rollbackS } = input
  return { blastRadius, harmProbability, worstBurn, rollbackS, novelty, files, lines, score }
}

/** NaN counts as the worst: an unknown risk is not a small one. */
function clamp(value: number): number {
  return Number.isNaN(value) ? 1 : Math.min(1, Math.max(0, value))
}
