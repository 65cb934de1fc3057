import { normalQuantile } from '../../../platform/statistics/normal.ts'
import type { Random } from '../../../platform/statistics/random.ts'
import type { Scores } from './aipw.ts'
import { splitByFold, stratifiedFolds } from './folds.ts'
import { scaled, scalingOf } from './learner.ts'
import { type Matrix, pick, rowsOf, times } from './matrix.ts'
import { ridgeOfScaled } from './ridge.ts'

const folds = 5
/** From nearly none to so much that the outcome models are left as they are. */
const penalties = [0.1, 0.3, 1, 3, 10, 100]

/**
 * The effect on each row, predicted by models that did not see it (DR-learner; Kennedy 2023): the difference of the outcome
 * models, corrected by a ridge of what the doubly robust score finds beyond it. The scores being noisy, the correction is
 * kept only as far as cross-validation sees a use in it. `x` and `treated` are the rows that the scores are of.
 */
export function effectOfEach(x: Matrix, treated: Float64Array, scores: Scores, random: Random): Float64Array {
  const beyond = scores.scores.map((score, row) => score - scores.modelled[row]!)
  const correction = outOfFold(x, treated, beyond, random)
  const share = shareKept(beyond, correction)
  return scores.modelled.map((value, row) => value + share * correction[row]!)
}

function outOfFold(x: Matrix, treated: Float64Array, values: Float64Array, random: Random): Float64Array {
  const result = new Float64Array(x.rows)
  const division = stratifiedFolds(treated, folds, random)
  for (let fold = 0; fold < folds; fold++) {
    const { inside, outside } = splitByFold(division, fold)
    const learnt = rowsOf(x, outside)
    const scaling = scalingOf(learnt)
    const { coefficients, intercept } = ridgeOfScaled(
      scaled(learnt, scaling),
      pick(values, outside),
      penalties,
    )
    const predicted = times(scaled(rowsOf(x, inside), scaling), coefficients, intercept)
    for (let place = 0; place < inside.length; place++) result[inside[place]!] = predicted[place]!
  }
  return result
}

/** The share from 0 to 1 of the correction with the least squared error against what it was to predict, less one standard error. */
function shareKept(values: Float64Array, correction: Float64Array): number {
  let product = 0
  let square = 0
  let noise = 0
  for (let row = 0; row < values.length; row++) {
    product += values[row]! * correction[row]!
    square += correction[row]! ** 2
    noise += (values[row]! * correction[row]!) ** 2
  }
  return square > 0 ? Math.min(1, Math.max(0, (product - Math.sqrt(noise)) / square)) : 0
}

/** Whether effects differ between rows at all: scores regressed on predicted effects (Chernozhukov, Demirer, Duflo and Fernández-Val 2018). */
export interface Calibration {
  /** 1: effects differ as predicted; 0: the predicted differences mean nothing. */
  readonly slope: number
  readonly se: number
  readonly isHeterogeneous: boolean
}

/** Example: scores that equal the predicted effects give slope 1. */
export function calibrationOf(scores: Float64Array, predicted: Float64Array): Calibration {
  const rows = scores.length
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / rows
  const [scoreMean, predictedMean] = [mean(scores), mean(predicted)]
  let product = 0
  let square = 0
  for (let row = 0; row < rows; row++) {
    product += (predicted[row]! - predictedMean) * (scores[row]! - scoreMean)
    square += (predicted[row]! - predictedMean) ** 2
  }
  if (!(square > 0)) return { slope: 0, se: Number.POSITIVE_INFINITY, isHeterogeneous: false }
  const slope = product / square
  let meat = 0
  for (let row = 0; row < rows; row++) {
    const difference = predicted[row]! - predictedMean
    meat += (difference * (scores[row]! - scoreMean - slope * difference)) ** 2
  }
  const se = Math.sqrt(meat) / square
  return { slope, se, isHeterogeneous: slope - normalQuantile(0.95) * se > 0 }
}
