import { fitWithOverlap, intervalsOf } from '../../services/meta-controller/analysis/causal/estimate.ts'
import { effectOfEach } from '../../services/meta-controller/analysis/causal/heterogeneity.ts'
import type { Learner } from '../../services/meta-controller/analysis/causal/learner.ts'
import { rowsOf } from '../../services/meta-controller/analysis/causal/matrix.ts'
import { meanOf } from '../../services/platform/statistics/order.ts'
import { seededRandom } from '../../services/platform/statistics/random.ts'
import type { World } from './surfaces.ts'

/** An estimate beside the truth, both of the rows at hand. */
export interface Measured {
  /** Estimate less truth. */
  readonly error: number
  /** The same of the outcome models alone. */
  readonly modelError: number
  /** Difference of the means of the two arms less truth: what looking alone would say. */
  readonly naiveError: number
  /** Root mean square error of the effect on each row. */
  readonly pehe: number
  readonly isCovered: boolean
}

/** A world whose rows overlap too little cannot be measured; the surfaces here never give one. */
export function measure(
  { x, treated, y, ...world }: World,
  learners: readonly Learner[],
  seed: number,
): Measured {
  const random = seededRandom(seed)
  const fitted = fitWithOverlap({ x, treated, y }, learners, random)
  if ('kind' in fitted) throw new Error(`these rows give no estimate: ${fitted.reason}`)
  const { sample, scores, kept } = fitted
  const effects = world.treatedMean.map((value, row) => value - world.untreatedMean[row]!)
  const truth = meanOf(effects)
  const each = effectOfEach(rowsOf(x, kept), sample.treated, scores, random)
  const { ofSample } = intervalsOf(fitted)
  return {
    error: scores.estimate - truth,
    modelError: meanOf(scores.modelled) - truth,
    naiveError:
      meanOf(y.filter((_, row) => treated[row] === 1)) -
      meanOf(y.filter((_, row) => treated[row] === 0)) -
      truth,
    pehe: rootMeanSquare(each.map((value, place) => value - effects[kept[place]!]!)),
    isCovered: ofSample.low <= truth && truth <= ofSample.high,
  }
}

export function rootMeanSquare(values: Float64Array): number {
  return Math.sqrt(meanOf(values.map((value) => value * value)))
}
