/**
 * Evidence for a rate that is k times what the null says, where the rate also fluctuates by itself: for a while, a burst, it is a
 * random factor above or below its mean. What that factor is now is not known, so a forward filter (a hidden Markov model) carries
 * the belief over it, for the null and for each alternative. A slot's evidence is the likelihood that the alternative gave to its
 * counts over the likelihood that the null gave, before they were seen; the product over slots is an e-process (Ville: it reaches
 * 1/α with probability α at most when the null is true). A burst can therefore never be worth more than its rarity: where bursts of
 * ten times the rate happen one time in ten, ten times the rate for one burst is worth ten to one, however many errors it has.
 *
 * The factors lie on a lattice that null and alternatives share (an alternative is a shift on it), so that rounding to the lattice
 * favours neither. A rate may also have risen late: a part of each alternative's stake waits and is put in slot after slot.
 */
export interface BurstFilter {
  readonly prior: BurstPrior
  /** Places on the lattice that each alternative lies away from the null; 0 is the null itself. */
  readonly shifts: readonly number[]
  /** What is staked on each alternative; the sum is 1. */
  readonly stakes: readonly number[]
  /** Chance in a second that a waiting stake is put in. 0: all is put in at the beginning. */
  readonly onsetPerSecond: number
  /** Most that one slot may add to the logarithm of an alternative's wealth. */
  readonly maxLnGain: number
  /** Belief over the lattice under the null, its sum 1. */
  readonly belief: Float64Array
  /** Row by row for each alternative: belief times wealth. */
  readonly wealth: Float64Array
  /** Places on the lattice from `lowest` on, those of them that are in use, and room for their likelihoods. */
  readonly lowest: number
  readonly points: Int32Array
  readonly lnFactors: Float64Array
  readonly factors: Float64Array
  readonly likelihoods: Float64Array
  /** Wealth of each alternative, and the part of its stake that waits. Changed in place with the others. */
  readonly totals: Float64Array
  waiting: number
}

/** How likely each factor is when a burst begins, over a lattice of logarithms, and how long bursts last. */
export interface BurstPrior {
  /** Distance of two places, in natural logarithm. */
  readonly spacing: number
  /** Index on the lattice of the first place; the place with index 0 is the factor 1. */
  readonly first: number
  readonly chances: Float64Array
  /** Mean length of a burst in seconds. */
  readonly burstSeconds: number
}

/** Three steps double the rate: alternatives are powers of the cube root of two, 1.26. */
export const latticeStep = Math.LN2 / 3
/** Places with a smaller chance, compared with the likeliest, are left out. */
const leastChance = 1e-4
/** A fluctuation below this standard deviation of the logarithm is none. */
const leastDeviation = 0.02
const maxPlaces = 400
/** Likelihoods are held above this part of the greatest, so that what the null thinks impossible can be divided by. */
const leastLikelihood = 1e-200
/** Wealth is held below this, far above what any verdict needs. */
const maxWealth = 1e100

/** A rate without bursts: the factor is always 1. */
export const steady: BurstPrior = {
  spacing: latticeStep,
  first: 0,
  chances: Float64Array.of(1),
  burstSeconds: Infinity,
}

/** The factor of one arm whose rate is a gamma variate of mean 1 and this variance. */
export function armPrior(variance: number, burstSeconds: number): BurstPrior {
  if (!(Math.sqrt(variance) >= leastDeviation)) return steady
  const shape = 1 / variance
  return priorOf(Math.sqrt(variance), burstSeconds, (x) => shape * (x - Math.exp(x)))
}

/** The ratio of two arms' factors, each a gamma variate of mean 1: a beta prime variate. Variances may differ, as numbers of pods do. */
export function ratioPrior(variances: { canary: number; stable: number }, burstSeconds: number): BurstPrior {
  const deviation = Math.sqrt(variances.canary + variances.stable)
  if (!(deviation >= leastDeviation)) return steady
  const [a, b] = [1 / Math.max(variances.canary, 1e-6), 1 / Math.max(variances.stable, 1e-6)]
  return priorOf(deviation, burstSeconds, (x) => a * x - (a + b) * Math.log1p((a / b) * Math.exp(x)))
}

/** `lnDensity`: of the logarithm of the factor, up to a constant, with one peak. */
function priorOf(deviation: number, burstSeconds: number, lnDensity: (x: number) => number): BurstPrior {
  const spacing = latticeStep / Math.ceil((2 * latticeStep) / deviation)
  let peak = 0
  while (lnDensity(spacing * (peak + 1)) > lnDensity(spacing * peak) && peak < maxPlaces) peak++
  while (lnDensity(spacing * (peak - 1)) > lnDensity(spacing * peak) && peak > -maxPlaces) peak--
  const least = lnDensity(spacing * peak) + Math.log(leastChance)
  let [first, last] = [peak, peak]
  while (lnDensity(spacing * (first - 1)) > least && peak - first < maxPlaces / 2) first--
  while (lnDensity(spacing * (last + 1)) > least && last - peak < maxPlaces / 2) last++
  const chances = Float64Array.from({ length: last - first + 1 }, (_, place) =>
    Math.exp(lnDensity(spacing * (first + place)) - least),
  )
  const sum = chances.reduce((total, chance) => total + chance, 0)
  return { spacing, first, chances: chances.map((chance) => chance / sum), burstSeconds }
}

export interface Bets {
  /** For each alternative, how many steps of 1.26 it lies away from the null, and what is staked on it. */
  readonly alternatives: readonly { readonly steps: number; readonly stake: number }[]
  /** What part of each stake waits, and the chance in a second that it is put in. */
  readonly waiting: number
  readonly onsetPerSecond: number
  readonly maxLnGain: number
}

export function beginFilter(bets: Bets, prior: BurstPrior): BurstFilter {
  const { alternatives, waiting, onsetPerSecond, maxLnGain } = bets
  const places = prior.chances.length
  const perStep = Math.round(latticeStep / prior.spacing)
  const sum = alternatives.reduce((total, { stake }) => total + stake, 0)
  const wealth = new Float64Array(places * alternatives.length)
  for (let row = 0; row < alternatives.length; row++) {
    for (let place = 0; place < places; place++) {
      wealth[row * places + place] = (1 - waiting) * prior.chances[place]!
    }
  }
  const shifts = alternatives.map(({ steps }) => steps * perStep)
  const lowest = prior.first + Math.min(0, ...shifts)
  const highest = prior.first + places - 1 + Math.max(0, ...shifts)
  const points = new Set(
    [0, ...shifts].flatMap((shift) =>
      [...prior.chances.keys()].map((place) => prior.first + shift + place - lowest),
    ),
  )
  const lnFactors = Float64Array.from(
    { length: highest - lowest + 1 },
    (_, index) => prior.spacing * (lowest + index),
  )
  return {
    prior,
    shifts,
    lowest,
    points: Int32Array.from(points).sort(),
    lnFactors,
    factors: lnFactors.map(Math.exp),
    likelihoods: new Float64Array(lnFactors.length),
    stakes: alternatives.map(({ stake }) => stake / sum),
    onsetPerSecond,
    maxLnGain,
    belief: prior.chances.slice(),
    wealth,
    totals: new Float64Array(alternatives.length).fill(1 - waiting),
    waiting,
  }
}

/** A copy that can be changed without changing this one. */
export function copyFilter(filter: BurstFilter): BurstFilter {
  const { belief, wealth, totals } = filter
  return { ...filter, belief: belief.slice(), wealth: wealth.slice(), totals: totals.slice() }
}

/**
 * The same bets, with what they are worth now, under another prior. Allowed at any time, as long as the prior comes from what was
 * seen before: each slot's evidence is fair under the prior that was in force when it came. What is believed of the burst at hand is
 * lost, so it should be seldom.
 */
export function withPrior(filter: BurstFilter, prior: BurstPrior): BurstFilter {
  const { stakes, shifts, onsetPerSecond, maxLnGain, totals, waiting } = filter
  const perStep = Math.round(latticeStep / filter.prior.spacing)
  const alternatives = stakes.map((stake, row) => ({ stake, steps: shifts[row]! / perStep }))
  const next = beginFilter({ alternatives, waiting, onsetPerSecond, maxLnGain }, prior)
  const places = prior.chances.length
  for (let row = 0; row < totals.length; row++) {
    for (let place = 0; place < places; place++)
      next.wealth[row * places + place] = totals[row]! * prior.chances[place]!
  }
  next.totals.set(totals)
  return next
}

/** Natural logarithm of the evidence: what the stakes are worth now. */
export function lnWealth({ stakes, totals, waiting }: BurstFilter): number {
  let sum = waiting
  for (let row = 0; row < totals.length; row++) sum += stakes[row]! * totals[row]!
  return Math.log(sum)
}

/**
 * Takes in one slot, in place. `lnLikelihood` gives, up to a constant, how likely the slot's counts are when the rate is `factor`
 * times what the null says, `lnFactor` being its logarithm; undefined for a slot without events, which only lets time pass: bursts
 * end and begin, and waiting stakes are put in on the belief that the null has now.
 */
export function advance(
  filter: BurstFilter,
  seconds: number,
  lnLikelihood: ((lnFactor: number, factor: number) => number) | undefined,
): void {
  const { prior, shifts, belief, wealth, totals, likelihoods, lowest } = filter
  const places = belief.length
  const renewed = places === 1 ? 0 : -Math.expm1(-seconds / prior.burstSeconds)
  const put = filter.waiting === 0 ? 0 : filter.waiting * -Math.expm1(-seconds * filter.onsetPerSecond)
  filter.waiting -= put
  if (lnLikelihood) readLikelihoods(filter, lnLikelihood)
  else likelihoods.fill(1)
  const scaling = 1 / believe(filter, renewed)
  const maxGain = Math.exp(filter.maxLnGain)
  const kept = 1 - renewed
  for (let row = 0; row < shifts.length; row++) {
    const at = row * places
    const from = prior.first + shifts[row]! - lowest
    const gain = renewed * totals[row]!
    let sum = 0
    for (let place = 0; place < places; place++) {
      const mixed = kept * wealth[at + place]! + gain * prior.chances[place]! + put * belief[place]!
      const value = mixed * likelihoods[from + place]! * scaling
      wealth[at + place] = value
      sum += value
    }
    const most = Math.min((totals[row]! + put) * maxGain, maxWealth)
    totals[row] = Math.min(sum, most)
    if (sum > most) scale(wealth, at, places, most / sum)
  }
  const from = prior.first - lowest
  for (let place = 0; place < places; place++) belief[place]! *= likelihoods[from + place]! * scaling
}

/** Bursts end and begin in the belief; gives the likelihood that the null gave to the slot. */
function believe({ prior, belief, likelihoods, lowest }: BurstFilter, renewed: number): number {
  let predicted = 0
  for (let place = 0; place < belief.length; place++) {
    belief[place] = (1 - renewed) * belief[place]! + renewed * prior.chances[place]!
    predicted += belief[place]! * likelihoods[prior.first - lowest + place]!
  }
  return predicted
}

/** At the places that the null or an alternative can be at. */
function readLikelihoods(
  { lnFactors, factors, points, likelihoods }: BurstFilter,
  lnLikelihood: (lnFactor: number, factor: number) => number,
): void {
  let largest = -Infinity
  for (const point of points) {
    const value = lnLikelihood(lnFactors[point]!, factors[point]!)
    likelihoods[point] = value
    if (value > largest) largest = value
  }
  for (const point of points)
    likelihoods[point] = Math.max(leastLikelihood, Math.exp(likelihoods[point]! - largest))
}

function scale(values: Float64Array, at: number, places: number, by: number): void {
  for (let place = 0; place < places; place++) values[at + place]! *= by
}
