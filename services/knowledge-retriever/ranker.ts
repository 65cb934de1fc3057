import { featureNames } from './features.ts'
import weights from './ranker.json' with { type: 'json' }

/** A trained ranker: several small networks whose scores are averaged. */
export interface Ranker {
  /** How it came about, in words. */
  readonly trained: string
  /** The features by name, each with the mean and the spread by which it is standardised. */
  readonly features: readonly { readonly name: string; readonly mean: number; readonly spread: number }[]
  /** A network's score is `linear·x + Σ out[u]·tanh(hidden[u]·x + bias[u])` of the standardised features `x`. */
  readonly networks: readonly RankerNetwork[]
}

export interface RankerNetwork {
  readonly linear: readonly number[]
  readonly units: readonly {
    readonly hidden: readonly number[]
    readonly bias: number
    readonly out: number
  }[]
}

/** The ranker that is shipped, made by `bench/retrieval/train.ts`. */
export const shippedRanker: Ranker = weights

/** Gives what scores a row of features. Errors: Error when the ranker was trained on other features than these. */
export function scorerOf(ranker: Ranker): (row: Float64Array) => number {
  const names = ranker.features.map(({ name }) => name)
  if (names.join() !== featureNames.join()) {
    throw new Error('ranker.json was trained on other features: run node bench/retrieval/train.ts')
  }
  const means = Float64Array.from(ranker.features, ({ mean }) => mean)
  const spreads = Float64Array.from(ranker.features, ({ spread }) => spread)
  const networks = ranker.networks.map(({ linear, units }) => ({
    linear: Float64Array.from(linear),
    units: units.map(({ hidden, bias, out }) => ({ hidden: Float64Array.from(hidden), bias, out })),
  }))
  return (row) => {
    const standard = row.map((value, at) => (value - (means[at] as number)) / (spreads[at] as number))
    let score = 0
    for (const { linear, units } of networks) {
      score += dot(linear, standard)
      for (const { hidden, bias, out } of units) score += out * Math.tanh(bias + dot(hidden, standard))
    }
    return score / networks.length
  }
}

function dot(left: Float64Array, right: Float64Array): number {
  let sum = 0
  for (let at = 0; at < left.length; at += 1) sum += (left[at] as number) * (right[at] as number)
  return sum
}
