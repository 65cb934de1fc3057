/** Numbers from 0 to below 1, each independent of the others. */
export type Random = () => number

/**
 * Numbers that follow from the seed alone (sfc32, Chris Doty-Humphrey's PractRand), so that what was drawn can be drawn again.
 * A text is hashed into a seed first (FNV-1a). Not for secrets.
 */
export function seededRandom(seed: number | string): Random {
  let a = typeof seed === 'number' ? seed >>> 0 : hashOf(seed)
  let b = typeof seed === 'number' ? Math.floor(seed / 2 ** 32) >>> 0 : 0x9e3779b9
  let c = 0x243f6a88
  let counter = 1
  const next = () => {
    const sum = (a + b + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) >>> 0
    c = ((c << 21) | (c >>> 11)) >>> 0
    c = (c + sum) >>> 0
    return sum / 2 ** 32
  }
  for (let round = 0; round < mixingRounds; round++) next()
  return next
}

const mixingRounds = 15

function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

/** A draw from the standard normal distribution (Box and Muller 1958). */
export function normalVariate(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** A draw from the exponential distribution of that mean. */
export function exponentialVariate(random: Random, mean: number): number {
  return -mean * Math.log(1 - random())
}

/** A draw from the gamma distribution of that shape (> 0) and mean (Marsaglia and Tsang 2000). */
export function gammaVariate(random: Random, shape: number, mean: number): number {
  if (shape < 1)
    return gammaVariate(random, shape + 1, (mean * (shape + 1)) / shape) * (1 - random()) ** (1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = normalVariate(random)
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v))
      return (d * v * mean) / shape
  }
}

const smallPoissonMean = 30

/** A draw from the Poisson distribution of that mean: exact below 30 (Knuth), above by halving into a gamma draw (Ahrens and Dieter 1974). */
export function poissonVariate(random: Random, mean: number): number {
  if (!(mean > 0)) return 0
  if (mean > smallPoissonMean) {
    const half = Math.floor((mean * 7) / 8)
    const time = gammaVariate(random, half, half)
    return time > mean
      ? binomialVariate(random, half - 1, mean / time)
      : half + poissonVariate(random, mean - time)
  }
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = 1 - random(); product > limit; product *= 1 - random()) count++
  return count
}

const fewTrials = 40

/** A draw of successes out of `trials` (a whole number) of that probability; splits many trials by a beta draw (Ahrens and Dieter 1974). */
export function binomialVariate(random: Random, trials: number, probability: number): number {
  if (probability <= 0 || trials <= 0) return 0
  if (probability >= 1) return trials
  if (trials <= fewTrials) {
    let successes = 0
    for (let trial = 0; trial < trials; trial++) if (random() < probability) successes++
    return successes
  }
  const rank = 1 + Math.floor(trials / 2)
  const left = gammaVariate(random, rank, rank)
  const right = gammaVariate(random, trials + 1 - rank, trials + 1 - rank)
  const cut = left / (left + right)
  return cut >= probability
    ? binomialVariate(random, rank - 1, probability / cut)
    : rank + binomialVariate(random, trials - rank, (probability - cut) / (1 - cut))
}

/** The same items in an order drawn at random (Fisher and Yates); gives a new list. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items]
  for (let index = result.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    ;[result[index], result[other]] = [result[other] as T, result[index] as T]
  }
  return result
}
