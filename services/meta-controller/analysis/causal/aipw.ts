import { meanOf } from '../../../platform/statistics/order.ts'
import type { Random } from '../../../platform/statistics/random.ts'
import { blockFolds, splitByFold, stratifiedFolds } from './folds.ts'
import type { Learner } from './learner.ts'
import { fitPropensity } from './logistic.ts'
import { pick, rowsOf } from './matrix.ts'
import type { Sample } from './sample.ts'

/** What is predicted of each row by models that did not see it: probability of treatment, outcome untreated and treated. */
export interface Nuisances {
  readonly propensity: Float64Array
  readonly untreated: Float64Array
  readonly treated: Float64Array
}

export interface CrossFit {
  readonly folds: number
  readonly outcome: Learner
  /** Penalties of the propensity that are tried; left out: those of `fitPropensity`. */
  readonly penalties?: readonly number[]
  /** When the propensity's coefficients move by less than this, they are taken. */
  readonly tolerance?: number
  readonly random: Random
}

/** Probabilities are moved to at least this far from 0 and 1. */
export const clipAt = 0.02

/** Out-of-fold predictions: folds of whole blocks in time where there are blocks, else stratified by treatment. */
export function crossFit(
  sample: Sample,
  { folds: count, outcome, penalties, tolerance, random }: CrossFit,
): Nuisances {
  const rows = sample.y.length
  const folds = sample.blocks
    ? blockFolds(sample.blocks, count)
    : stratifiedFolds(sample.treated, count, random)
  const result = {
    propensity: new Float64Array(rows),
    untreated: new Float64Array(rows),
    treated: new Float64Array(rows),
  }
  for (let fold = 0; fold < count; fold++) {
    const { inside, outside } = splitByFold(folds, fold)
    if (inside.length === 0) continue
    const asked = rowsOf(sample.x, inside)
    for (const arm of [0, 1] as const) {
      const members = outside.filter((row) => sample.treated[row] === arm)
      const model = outcome.fit(rowsOf(sample.x, members), pick(sample.y, members), random)
      put(arm === 1 ? result.treated : result.untreated, inside, model(asked))
    }
    const known = sample.propensity
    if (known !== undefined) put(result.propensity, inside, pick(known, inside))
    else {
      const model = fitPropensity(
        rowsOf(sample.x, outside),
        pick(sample.treated, outside),
        penalties,
        tolerance,
      )
      put(result.propensity, inside, model(asked))
    }
  }
  return result
}

function put(to: Float64Array, places: readonly number[], values: Float64Array): void {
  for (let index = 0; index < places.length; index++) to[places[index]!] = values[index]!
}

/** Sums of nuisances from several ways to divide into folds, which takes out the luck of one division. */
export function averaged(all: readonly Nuisances[]): Nuisances {
  const mean = (of: (one: Nuisances) => Float64Array) =>
    of(all[0]!).map((_, row) => all.reduce((sum, one) => sum + of(one)[row]!, 0) / all.length)
  return {
    propensity: mean((one) => one.propensity),
    untreated: mean((one) => one.untreated),
    treated: mean((one) => one.treated),
  }
}

/** Each row's part of the estimate. */
export interface Scores {
  /** The doubly robust score; its mean is the average effect. */
  readonly scores: Float64Array
  /** The effect as the outcome models have it. */
  readonly modelled: Float64Array
  readonly estimate: number
}

/**
 * Augmented inverse probability weighting (Robins, Rotnitzky and Zhao 1994; cross-fitted: Chernozhukov et al. 2018),
 * ψ = m1 − m0 + t(y − m1)/e − (1 − t)(y − m0)/(1 − e): right if either the outcome models or the propensity are.
 * Example: with m0 = m1 = 0 and e = ½, a treated row of outcome 3 has ψ = 6.
 */
export function scoresOf(sample: Sample, nuisances: Nuisances): Scores {
  const rows = sample.y.length
  const scores = new Float64Array(rows)
  const modelled = new Float64Array(rows)
  for (let row = 0; row < rows; row++) {
    const e = clipped(nuisances.propensity[row]!)
    const m0 = nuisances.untreated[row]!
    const m1 = nuisances.treated[row]!
    const t = sample.treated[row]!
    const y = sample.y[row]!
    modelled[row] = m1 - m0
    scores[row] = m1 - m0 + (t * (y - m1)) / e - ((1 - t) * (y - m0)) / (1 - e)
  }
  return { scores, modelled, estimate: meanOf(scores) }
}

export function clipped(propensity: number): number {
  return Math.min(1 - clipAt, Math.max(clipAt, propensity))
}
