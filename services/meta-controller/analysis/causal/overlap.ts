import { clipAt } from './aipw.ts'

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
  /** The part of the rows whose propensity is nearer than `clipAt` to 0 or 1. */
  readonly clippedShare: number
}

export const leastEffectiveRows = 50
export const maxClippedShare = 0.05
/** Crump, Hotz, Imbens and Mitnik 2009: where overlap is bad, the effect is told for rows within these propensities only. */
export const trimBelow = 0.1

/** Example: 100 rows, half of them treated, all with propensity ½: 100 effective rows, 50 in each arm. */
export function overlapOf(treated: Float64Array, propensity: Float64Array): Overlap {
  const sums = [0, 0]
  const squares = [0, 0]
  let clippedRows = 0
  for (let row = 0; row < treated.length; row++) {
    const e = propensity[row]!
    if (e < clipAt || e > 1 - clipAt) clippedRows++
    const arm = treated[row] === 1 ? 1 : 0
    const probability = Math.max(clipAt, arm === 1 ? e : 1 - e)
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
    clippedShare: treated.length === 0 ? 1 : clippedRows / treated.length,
  }
}

/** Why these rows do not allow for an estimate; undefined where they do. */
export function overlapProblem(overlap: Overlap): string | undefined {
  if (overlap.effectiveRows < leastEffectiveRows)
    return `the rows are worth only ${Math.floor(overlap.effectiveRows)} independent ones, ${leastEffectiveRows} are needed`
  if (overlap.clippedShare > maxClippedShare)
    return `${(100 * overlap.clippedShare).toFixed(1)} % of the rows were nearly sure to be treated or not to be (at most ${100 * maxClippedShare} % may)`
  return undefined
}

/** Rows with enough of a chance of either. */
export function trimmedRows(propensity: Float64Array): number[] {
  const kept: number[] = []
  for (let row = 0; row < propensity.length; row++)
    if (propensity[row]! >= trimBelow && propensity[row]! <= 1 - trimBelow) kept.push(row)
  return kept
}
