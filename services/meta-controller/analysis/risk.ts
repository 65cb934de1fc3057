/** What the risk of a change is computed from: its diff, the topology and the plan of its rollout. Nothing that its author says. */
export interface RiskInput {
  /** Share of the observed requests that pass through what the change can touch, 0 to 1; see `affectedShare`. */
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
  /** Share of the error budget that the rollout spends at most, as proven; without it the burn is computed from the first step alone. */
  readonly provenBurn?: number
  /** How strong a hidden confounder would have to be to explain the effect away, 0 to 1. Absent where the effect was randomised or none is known. */
  readonly robustnessValue?: number
  /** Refutations that the effect did not survive, and how many were tried. */
  readonly refutationsFailed?: number
  readonly refutations?: number
  /** The change as numbers, and those of earlier changes that went well; see `noveltyOf`. Without them earlier promotions count. */
  readonly features?: readonly number[]
  readonly earlierFeatures?: readonly (readonly number[])[]
}

/** The first eight as the governor takes them; see RiskVector in the contract. */
export interface Risk {
  readonly blastRadius: number
  readonly harmProbability: number
  readonly worstBurn: number
  readonly rollbackS: number
  readonly novelty: number
  readonly files: number
  readonly lines: number
  readonly score: number
  /** 1 − robustness value: how little hidden confounding would do; 0 where it was not asked. */
  readonly fragility: number
  /** Share of the refutations that failed; 0 where none was made. */
  readonly confounding: number
}

/** What each dimension at its worst does to the chance that all goes well. Chosen, not fitted. */
const weights = {
  blast: 0.15,
  harm: 0.3,
  burn: 0.25,
  novelty: 0.08,
  rollback: 0.1,
  size: 0.1,
  fragility: 0.05,
  confounding: 0.25,
}

/**
 * The risk vector (reference: intelligence.md 6). `score` = 100 × (1 − Π (1 − weight × dimension)), each dimension clamped to 0…1:
 * it grows with each dimension and never shrinks, so more risk never turns a "no" into a "yes". NaN counts as the worst.
 * Worst burn: as proven, or a canary that fails each request from its first second until the judge aborts, as a share of the error budget.
 * Example: all traffic, 1 % harm, 10 % of it for 5 s of a budget of 36 s, back in 2 s, never done, 40 lines: worst burn 0.014, score 24.
 */
export function assessRisk(input: RiskInput): Risk {
  const blastRadius = clamp(input.trafficShare)
  const budgetSeconds = Math.max(1, input.sloWindowSeconds * input.allowedBadShare)
  const firstStepBurn =
    (Math.max(0, input.firstWeightPercent) / 100) * (input.detectionSeconds / budgetSeconds)
  const worstBurn = atLeastZero(input.provenBurn ?? firstStepBurn)
  const novelty =
    input.features === undefined
      ? 1 / (1 + Math.max(0, input.earlierPromotions))
      : noveltyOf(input.features, input.earlierFeatures ?? [])
  const harmProbability = clamp(input.harmProbability)
  const fragility = input.robustnessValue === undefined ? 0 : clamp(1 - input.robustnessValue)
  const confounding = confoundingOf(input)
  const allWell =
    (1 - weights.blast * blastRadius) *
    (1 - weights.harm * harmProbability) *
    (1 - weights.burn * clamp(worstBurn)) *
    (1 - weights.novelty * novelty) *
    (1 - weights.rollback * clamp(input.rollbackSeconds / 60)) *
    (1 - weights.size * clamp(input.lines / 200)) *
    (1 - weights.fragility * fragility) *
    (1 - weights.confounding * confounding)
  const score = Math.min(100, Math.round(100 * (1 - allWell)))
  const { files, lines } = input
  const rollbackS = atLeastZero(input.rollbackSeconds)
  return {
    blastRadius,
    harmProbability,
    worstBurn,
    rollbackS,
    novelty,
    files,
    lines,
    score,
    fragility,
    confounding,
  }
}

function confoundingOf({ refutationsFailed, refutations }: RiskInput): number {
  const failed = refutationsFailed ?? 0
  return failed === 0 ? 0 : clamp(failed / Math.max(failed, refutations ?? failed))
}

const neighbours = 3

/**
 * How unlike earlier changes one is: the mean of d/(1 + d) over its three nearest in Euclidean distance, where a neighbour that does
 * not exist counts as infinitely far. 0: seen three times just so; 1: nothing like it, or a feature that is no number. The caller scales
 * the features so that 1 is a difference that matters. An earlier change with another number of features is no neighbour.
 * Example: [1, 0] after [1, 0] and [1, 1]: (0 + 1/2 + 1) / 3 = 0.5.
 */
export function noveltyOf(features: readonly number[], earlier: readonly (readonly number[])[]): number {
  const distances = earlier
    .filter((one) => one.length === features.length)
    .map((one) => Math.hypot(...features.map((value, index) => value - (one[index] as number))))
    .filter(Number.isFinite)
    .sort((a, b) => a - b)
  const far = (distance: number | undefined) => (distance === undefined ? 1 : distance / (1 + distance))
  return (
    Array.from({ length: neighbours }, (_, rank) => far(distances[rank])).reduce((a, b) => a + b) / neighbours
  )
}

/** A caller, a callee, and the requests between them. */
export interface Flow {
  readonly caller: string
  readonly service: string
  readonly requests: number
}

/**
 * Share of all observed requests that go to what a change of `service` can touch: the service, all that it calls, directly or not (more
 * or fewer calls), and all that call it (slower or failing answers). 1 when nothing is known of the topology or the service.
 * Example: client → web 10, web → cart 10, cart → db 20, web → ads 60 requests: a change of cart touches 40 of 100.
 */
export function affectedShare(service: string, flows: readonly Flow[]): number {
  const total = flows.reduce((sum, flow) => sum + flow.requests, 0)
  const isKnown = flows.some((flow) => flow.caller === service || flow.service === service)
  if (!(total > 0) || !isKnown) return 1
  const above = reachable(service, flows, 'service', 'caller')
  const below = reachable(service, flows, 'caller', 'service')
  const touched = flows.filter((flow) => above.has(flow.service) || below.has(flow.service))
  return clamp(touched.reduce((sum, flow) => sum + flow.requests, 0) / total)
}

function reachable(
  from: string,
  flows: readonly Flow[],
  near: 'caller' | 'service',
  far: 'caller' | 'service',
): Set<string> {
  const seen = new Set([from])
  // Each pass adds what one call further reaches; a set that no longer grows is whole.
  for (let size = 0; size !== seen.size; ) {
    size = seen.size
    for (const flow of flows) if (seen.has(flow[near])) seen.add(flow[far])
  }
  return seen
}

/** NaN counts as the worst: an unknown risk is not a small one. */
function clamp(value: number): number {
  return Number.isNaN(value) ? 1 : Math.min(1, Math.max(0, value))
}

function atLeastZero(value: number): number {
  return Number.isNaN(value) ? Infinity : Math.max(0, value)
}
