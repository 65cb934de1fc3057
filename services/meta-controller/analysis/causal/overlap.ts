import { weighing } from './aipw.ts'
import type { Sample } from './sample.ts'

/** How far both arms are to be found among rows of the same kind. */
export interface Overlap {
  /**
   * As many rows of even odds, half of them treated, the comparison is worth: 4 / (1/n₁ + 1/n₀) of the effective rows of the arms,
   * so that many rows of one arm do not make up for few of the other.
   */
  readonly effectiveRows: number
  /** (Σw)²/Σw² of the weights 1/e of the treated, 1/(1 − e) of the others, that make the arms alike (Kish 1965). */
  readonly effectiveTreated: number
  readonly effectiveUntreated: number
  /** The part of the rows whose propensity is estimated to be below 2 % or above 98 %. */
  readonly sureShare: number
}

export const leastEffectiveRows = 50
export const maxSureShare = 0.05
const sureAt = 0.02
/** Crump, Hotz, Imbens and Mitnik 2009: where overlap is bad, the effect is told for rows within these propensities only. */
export const trimBelow = 0.1

/** Example: 100 rows, half of them treated, all with propensity ½: 100 effective rows, 50 in each arm. */
export function overlapOf(sample: Sample, propensity: Float64Array): Overlap {
  const { treated } = sample
  const sums = [0, 0]
  const squares = [0, 0]
  let sureRows = 0
  for (let row = 0; row < treated.length; row++) {
    const e = propensity[row]!
    if (e < sureAt || e > 1 - sureAt) sureRows++
    const arm = treated[row] === 1 ? 1 : 0
    const weighed = weighing(sample, e)
    const probability = arm === 1 ? weighed : 1 - weighed
    sums[arm]! += 1 / probability
    squares[arm]! += 1 / probability ** 2
  }
  const effective = (sum: number, square: number) => (square > 0 ? (sum * sum) / square : 0)
  const [effectiveUntreated, effectiveTreated] = [
    effective(sums[0]!, squares[0]!),
    effective(sums[1]!, squares[1]!),
  ]
  return {
    effectiveRows: 4 / (1 / effectiveTreated + 1 / effectiveUntreated),
    effectiveTreated,
    effectiveUntreated,
    sureShare: sample.propensity === undefined ? sureRows / treated.length : 0,
  }
}

/** Why these rows do not allow for an estimate; undefined where they do. */
export function overlapProblem(overlap: Overlap): string | undefined {
  if (overlap.effectiveRows < leastEffectiveRows)
    return `the rows are worth only ${Math.floor(overlap.effectiveRows)} independent ones, ${leastEffectiveRows} are needed`
  if (overlap.sureShare > maxSureShare)
    return `${(100 * overlap.sureShare).toFixed(1)} % of the rows were nearly sure to be treated or not to be (at most ${100 * maxSureShare} % may)`
  return undefined
}

/** Rows with enough of a chance of either. */
export function trimmedRows(propensity: Float64Array): number[] {
  const kept: number[] = []
  for (let row = 0; row < propensity.length; row++)
    if (propensity[row]! >= trimBelow && propensity[row]! <= 1 - trimBelow) kept.push(row)
  return kept
}
