import { meanOf } from '../../../platform/statistics/order.ts'
import { type Random, shuffled } from '../../../platform/statistics/random.ts'
import { blockFolds, splitByFold, stratifiedFolds } from './folds.ts'
import type { Learner } from './learner.ts'
import { fitPropensity } from './logistic.ts'
import { pick, rowsOf } from './matrix.ts'
import { blocksOf, type Sample } from './sample.ts'
import { convexWeights } from './stacking.ts'

/** What is predicted of each row by models that did not see it: probability of treatment, outcome untreated and treated. */
export interface Nuisances {
  readonly propensity: Float64Array
  readonly untreated: Float64Array
  readonly treated: Float64Array
}

export interface CrossFit {
  readonly folds: number
  /** What predicts the outcome; several are combined. */
  readonly learners: readonly Learner[]
  /** Penalties of the propensity that are tried; left out: those of `fitPropensity`. */
  readonly penalties?: readonly number[]
  /** When the propensity's coefficients move by less than this, they are taken. */
  readonly tolerance?: number
  readonly random: Random
}

/**
 * Estimated propensities are moved to at least this far from 0 and 1 before they weigh rows: one row must not stand for more than
 * twenty. Known ones are taken as they are.
 */
export const clipAt = 0.05
/** More rows than these, drawn by lot, are not learnt from: outcome models no longer get better by more. */
const maxLearntRows = 20_000

/**
 * Out-of-fold predictions: folds of whole blocks in time where there are blocks, else stratified by treatment. The learners are
 * combined by the convex weights of least squared error of their out-of-fold predictions, arm by arm: a super learner (van der
 * Laan, Polley and Hubbard 2007) that shares its folds with the cross-fitting (short-stacking; Ahrens, Hansen, Schaffer and
 * Wiemann 2025), which costs a sixth of one with folds of its own.
 */
export function crossFit(sample: Sample, options: CrossFit): Nuisances {
  const { folds: count, learners, random } = options
  const blocks = blocksOf(sample)
  const folds = blocks ? blockFolds(blocks, count) : stratifiedFolds(sample.treated, count, random)
  const empty = () => new Float64Array(sample.y.length)
  const propensity = sample.propensity ?? empty()
  const arms = [learners.map(empty), learners.map(empty)]
  for (let fold = 0; fold < count; fold++) {
    const { inside, outside } = splitByFold(folds, fold)
    if (inside.length === 0) continue
    const asked = rowsOf(sample.x, inside)
    arms.forEach((predictions, arm) => {
      const members = atMost(
        outside.filter((row) => sample.treated[row] === arm),
        random,
      )
      const [x, y] = [rowsOf(sample.x, members), pick(sample.y, members)]
      learners.forEach((learner, index) => {
        put(predictions[index]!, inside, learner.fit(x, y, random)(asked))
      })
    })
    if (sample.propensity !== undefined) continue
    const { penalties, tolerance } = options
    const model = fitPropensity(
      rowsOf(sample.x, outside),
      pick(sample.treated, outside),
      penalties,
      tolerance,
    )
    put(propensity, inside, model(asked))
  }
  return { propensity, untreated: stacked(sample, arms[0]!, 0), treated: stacked(sample, arms[1]!, 1) }
}

function atMost(rows: number[], random: Random): number[] {
  return rows.length <= maxLearntRows ? rows : shuffled(rows, random).slice(0, maxLearntRows)
}

function put(to: Float64Array, places: readonly number[], values: Float64Array): void {
  for (let index = 0; index < places.length; index++) to[places[index]!] = values[index]!
}

/** The predictions combined by weights that are learnt from the rows of that arm. */
function stacked({ treated, y }: Sample, predictions: readonly Float64Array[], arm: number): Float64Array {
  if (predictions.length === 1) return predictions[0]!
  const members = Array.from(treated.keys()).filter((row) => treated[row] === arm)
  const weights = convexWeights(
    predictions.map((one) => pick(one, members)),
    pick(y, members),
  )
  return predictions[0]!.map((_, row) =>
    predictions.reduce((sum, one, index) => sum + weights[index]! * one[row]!, 0),
  )
}

/** The mean over several divisions into folds, which takes out the luck of one. */
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
    const e = weighing(sample, nuisances.propensity[row]!)
    const m0 = nuisances.untreated[row]!
    const m1 = nuisances.treated[row]!
    const t = sample.treated[row]!
    const y = sample.y[row]!
    modelled[row] = m1 - m0
    scores[row] = m1 - m0 + (t * (y - m1)) / e - ((1 - t) * (y - m0)) / (1 - e)
  }
  return { scores, modelled, estimate: meanOf(scores) }
}

/** The mean of several divisions' scores, row by row. */
export function meanScores(all: readonly Scores[]): Scores {
  const mean = (of: (one: Scores) => Float64Array) =>
    of(all[0]!).map((_, row) => all.reduce((sum, one) => sum + of(one)[row]!, 0) / all.length)
  return {
    scores: mean((one) => one.scores),
    modelled: mean((one) => one.modelled),
    estimate: meanOf(all.map((one) => one.estimate)),
  }
}

/** The propensity by which a row of the sample is weighed. */
export function weighing(sample: Sample, propensity: number): number {
  if (sample.propensity !== undefined) return propensity
  return Math.min(1 - clipAt, Math.max(clipAt, propensity))
}
