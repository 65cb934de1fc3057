import { contextNames } from './context.ts'
import { featureNames } from './features.ts'
import weights from './ranker.json' with { type: 'json' }

/** Two rankers: the first scores each candidate by itself, the second the best of them by each other as well. */
export interface Ranker {
  /** How it came about, in words. */
  readonly trained: string
  readonly first: RankerStage
  readonly second: RankerStage
}

/** Several small networks whose scores are averaged. */
export interface RankerStage {
  /** The features by name, each with the mean and the spread by which it is standardised. */
  readonly features: readonly { readonly name: string; readonly mean: number; readonly spread: number }[]
  /** A network's score is `linear·x + Σ out[u]·tanh(hidden[u]·x + bias[u])` of the standardised features `x`. */
  readonly networks: readonly {
    readonly linear: readonly number[]
    readonly units: readonly {
      readonly hidden: readonly number[]
      readonly bias: number
      readonly out: number
    }[]
  }[]
}

/** Scores a row of features. */
export type Scorer = (row: Float64Array) => number

/** A standardised feature does not count as further from its mean, in spreads: what was never seen is not trusted. */
export const maxDeviation = 5

/** The ranker that is shipped, made by `bench/retrieval/train.ts`. */
export const shippedRanker: Ranker = weights

/** The features that the second stage reads. */
export const secondNames: readonly string[] = [...featureNames, ...contextNames]

/** Gives what scores candidates by both stages. Errors: Error when the ranker was trained on other features than these. */
export function scorersOf(ranker: Ranker): { first: Scorer; second: Scorer } {
  return { first: scorerOf(ranker.first, featureNames), second: scorerOf(ranker.second, secondNames) }
}

function scorerOf(stage: RankerStage, names: readonly string[]): Scorer {
  if (stage.features.map(({ name }) => name).join() !== names.join()) {
    throw new Error('ranker.json was trained on other features: run node bench/retrieval/train.ts')
  }
  const networks = stage.networks.map(({ linear, units }) => ({
    linear: Float64Array.from(linear),
    units: units.map(({ hidden, bias, out }) => ({ hidden: Float64Array.from(hidden), bias, out })),
  }))
  const means = Float64Array.from(stage.features, ({ mean }) => mean)
  const spreads = Float64Array.from(stage.features, ({ spread }) => spread)
  return (row) => {
    const standard = standardised(row, means, spreads)
    let score = 0
    for (const { linear, units } of networks) {
      score += dot(linear, standard)
      for (const { hidden, bias, out } of units) score += out * Math.tanh(bias + dot(hidden, standard))
    }
    return score / networks.length
  }
}

/** A row in spreads from the means. */
export function standardised(
  row: Float64Array,
  means: ArrayLike<number>,
  spreads: ArrayLike<number>,
): Float64Array {
  return row.map((value, at) => {
    const deviation = (value - (means[at] as number)) / (spreads[at] as number)
    return Math.max(-maxDeviation, Math.min(maxDeviation, deviation))
  })
}

function dot(left: Float64Array, right: Float64Array): number {
  let sum = 0
  for (let at = 0; at < left.length; at += 1) sum += (left[at] as number) * (right[at] as number)
  return sum
}
