import { SortedWindow } from './sorted-window.ts'

const refitEvery = 25
/** While there are few scores, so many of them make up the tail, but at most a fifth of all. */
const excessesWanted = 40
const widestTail = 0.2
const leastProbability = 1e-12

/** How the generalised Pareto tail's shape follows from its excesses. */
export interface TailFit {
  /** How many of the latest raw scores speak for what is usual. */
  readonly memory: number
  /** With fewer nothing is called unusual. */
  readonly leastScores: number
  /** Share of them that makes up the tail once there are many. */
  readonly tailShare: number
  readonly least: number
  readonly most: number
  /** A shape that counts as so many excesses: what few excesses cannot tell is taken from it. */
  readonly prior: { readonly shape: number; readonly weight: number }
  /** Probability of a score above scores that were all equal, by their number. */
  readonly aboveConstant: (count: number) => number
}

/** For scores that are compared with each other: what the excesses say. */
export const plainFit: TailFit = {
  memory: 8000,
  leastScores: 50,
  tailShare: 0.02,
  least: -0.2,
  most: 0.45,
  prior: { shape: 0, weight: 0 },
  aboveConstant: () => leastProbability,
}

/** For alarms that must keep to a budget: tails are heavy until many excesses say otherwise, and never end. */
export const cautiousFit: TailFit = {
  memory: 50_000,
  leastScores: 100,
  tailShare: 0.005,
  least: 0,
  most: 0.8,
  prior: { shape: 0.5, weight: 100 },
  aboveConstant: (count) => 1 / (count + 1),
}

/** For scores that are -log10 of a probability already: exponential, unless they say that the model behind them was too sure. */
export const scoreFit: TailFit = {
  ...cautiousFit,
  prior: { shape: 0.1, weight: 40 },
  aboveConstant: () => leastProbability,
}

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
  readonly #scores: SortedWindow
  readonly #fitting: TailFit
  #tail: Tail | undefined
  #sinceFit = refitEvery

  constructor(fitting: TailFit = plainFit) {
    this.#fitting = fitting
    this.#scores = new SortedWindow(fitting.memory)
  }

  /** Probability of a score of at least `raw`; 1 during the first ones. Then takes the score in. */
  update(raw: number): number {
    const pValue = this.pValueOf(raw)
    this.#scores.push(raw)
    this.#sinceFit += 1
    if (this.#sinceFit >= refitEvery && this.#scores.size >= this.#fitting.leastScores) {
      this.#tail = this.#fit()
      this.#sinceFit = 0
    }
    return pValue
  }

  /** As `update`, but the score is not taken in. */
  pValueOf(raw: number): number {
    const count = this.#scores.size
    if (count < this.#fitting.leastScores) return 1
    const atLeast = count - this.#scores.countBelow(raw)
    const tail = this.#tail
    if (tail === undefined || raw <= tail.threshold) return Math.max(atLeast, 0.5) / count
    if (!(tail.scale > 0)) return Math.max(leastProbability, this.#fitting.aboveConstant(count))
    const above = Math.max(1, count - this.#scores.countBelow(tail.threshold))
    return Math.max(leastProbability, (above / count) * survival(raw - tail.threshold, tail))
  }

  #fit(): Tail {
    const count = this.#scores.size
    const share = Math.max(this.#fitting.tailShare, Math.min(widestTail, excessesWanted / count))
    const threshold = this.#scores.quantile(1 - share)
    const first = this.#scores.countBelow(threshold)
    let sum = 0
    let squares = 0
    for (let rank = first; rank < count; rank++) {
      const excess = this.#scores.at(rank) - threshold
      sum += excess
      squares += excess * excess
    }
    const number = count - first
    const mean = sum / number
    if (!(mean > 0)) return { threshold, shape: 0, scale: 0 }
    const shape = this.#shapeOf(number, mean, squares / number - mean * mean)
    return { threshold, shape, scale: mean * (1 - shape) }
  }

  /** By moments: mean² / variance is 1 - 2·shape. */
  #shapeOf(number: number, mean: number, variance: number): number {
    const { least, most, prior } = this.#fitting
    const told = variance > 0 ? Math.max(least, 0.5 * (1 - (mean * mean) / variance)) : least
    const shape = (number * told + prior.weight * prior.shape) / (number + prior.weight)
    return Math.min(most, Math.max(least, shape))
  }
}

function survival(excess: number, { shape, scale }: Tail): number {
  if (Math.abs(shape) < 1e-9) return Math.exp(-excess / scale)
  const base = 1 + (shape * excess) / scale
  return base <= 0 ? 0 : base ** (-1 / shape)
}
