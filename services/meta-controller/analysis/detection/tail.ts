import { SortedWindow } from './sorted-window.ts'

/** How many of the latest raw scores speak for what is usual. */
const memory = 8000
/** Below so many raw scores nothing is called unusual. */
export const leastForTail = 50
const refitEvery = 25
const tailShare = 0.02
/** While there are few scores, so many of them make up the tail, but at most a fifth of all. */
const excessesWanted = 40
const widestTail = 0.2
const leastExcesses = 10
const shapeRange = [-0.2, 0.45] as const

interface Tail {
  readonly threshold: number
  readonly shape: number
  readonly scale: number
}

/**
 * Turns the raw scores of one stream into probabilities: what share of scores was at least so high, by counting within the
 * body and by a generalised Pareto tail above the 98th percentile (peaks over threshold as in SPOT, Siffer et al., KDD 2017;
 * fitted by moments). Each score is judged by those before it.
 * Example: after the scores 1 to 100, a score of 50.5 has the p-value 0.5.
 */
export class TailCalibrator {
  readonly #scores = new SortedWindow(memory)
  #tail: Tail | undefined
  #sinceFit = refitEvery

  /** Probability of a score of at least `raw`; 1 during the first 50. Then takes the score in. */
  update(raw: number): number {
    const pValue = this.pValueOf(raw)
    this.#scores.push(raw)
    this.#sinceFit += 1
    if (this.#sinceFit >= refitEvery && this.#scores.size >= leastForTail) {
      this.#tail = this.#fit()
      this.#sinceFit = 0
    }
    return pValue
  }

  /** As `update`, but the score is not taken in. */
  pValueOf(raw: number): number {
    const count = this.#scores.size
    if (count < leastForTail) return 1
    const atLeast = count - this.#scores.countBelow(raw)
    const tail = this.#tail
    if (tail === undefined || raw <= tail.threshold) return Math.max(atLeast, 0.5) / count
    return Math.max(
      leastProbability,
      (this.#excessesAbove(tail) / count) * survival(raw - tail.threshold, tail),
    )
  }

  #excessesAbove(tail: Tail): number {
    const above = this.#scores.size - this.#scores.countBelow(tail.threshold)
    return Math.max(1, above)
  }

  #fit(): Tail | undefined {
    const count = this.#scores.size
    const threshold = this.#scores.quantile(
      1 - Math.max(tailShare, Math.min(widestTail, excessesWanted / count)),
    )
    const first = this.#scores.countBelow(threshold)
    let sum = 0
    let squares = 0
    const number = count - first
    for (let rank = first; rank < count; rank++) {
      const excess = this.#scores.at(rank) - threshold
      sum += excess
      squares += excess * excess
    }
    const mean = sum / number
    const variance = squares / number - mean * mean
    if (!(mean > 0)) return { threshold, shape: 0, scale: 0 }
    const [low, high] = shapeRange
    const steep = variance > 0 ? 0.5 * (1 - (mean * mean) / variance) : low
    const shape = number < leastExcesses ? 0.1 : Math.min(high, Math.max(low, steep))
    return { threshold, shape, scale: mean * (1 - shape) }
  }
}

const leastProbability = 1e-12

function survival(excess: number, { shape, scale }: Tail): number {
  if (!(scale > 0)) return leastProbability
  if (Math.abs(shape) < 1e-9) return Math.exp(-excess / scale)
  const base = 1 + (shape * excess) / scale
  return base <= 0 ? 0 : base ** (-1 / shape)
}
