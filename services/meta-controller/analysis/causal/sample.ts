import type { Dependence } from './interval.ts'
import { type Matrix, matrixOf, pick, rowsOf } from './matrix.ts'

/** Rows of which some were treated. `treated` holds 0 and 1; a known `propensity` is the probability with which each row was. */
export interface Sample {
  readonly x: Matrix
  readonly treated: Float64Array
  readonly y: Float64Array
  /** Rows of one block depend on each other: a time slot, a machine. */
  readonly blocks?: Float64Array
  readonly lags?: number
  readonly propensity?: Float64Array
}

/** What an effect is estimated from; one entry a row in every list. */
export interface EffectInput {
  /** 1 and 0, or true and false. */
  readonly treatment: ArrayLike<number | boolean>
  readonly outcome: ArrayLike<number>
  /** One list a row, equally long; an empty list a row where there are none. */
  readonly covariates: readonly ArrayLike<number>[]
  /** The probability with which each row was treated, where it is known: drawn slots, a splitter's weight. */
  readonly propensity?: ArrayLike<number>
  /** The block of each row, rows in the order of time. */
  readonly blocks?: ArrayLike<number>
  /** Where rows follow each other in time without blocks: up to so many rows later, one is still felt (Newey and West's lags). */
  readonly lags?: number
  /**
   * Outcomes that the treatment cannot have changed, one list of rows each: the same indicator in slots before the treatment.
   * An effect on them is that of a hidden common cause.
   */
  readonly controlOutcomes?: readonly ArrayLike<number>[]
  readonly seed: number
}

export interface Refused {
  readonly kind: 'refused'
  readonly reason: string
}

export const leastRows = 50
export const leastRowsOfArm = 10
export const maxRows = 2_000_000
export const maxCovariates = 500

export function refuse(reason: string): Refused {
  return { kind: 'refused', reason }
}

/** The rows to be computed with, or why they cannot be; rows are counted from 1 in reasons. */
export function sampleOf(input: EffectInput): Sample | Refused {
  const rows = input.outcome.length
  const problem = shapeProblem(input, rows) ?? valueProblem(input, rows) ?? variationProblem(input, rows)
  if (problem !== undefined) return refuse(problem)
  return {
    x: matrixOf(input.covariates),
    treated: Float64Array.from({ length: rows }, (_, row) => Number(input.treatment[row])),
    y: Float64Array.from(input.outcome),
    blocks: input.blocks && Float64Array.from(input.blocks),
    lags: input.lags,
    propensity: input.propensity && Float64Array.from(input.propensity),
  }
}

function shapeProblem(input: EffectInput, rows: number): string | undefined {
  if (rows < leastRows) return `${rows} rows are too few: at least ${leastRows} are needed`
  if (rows > maxRows) return `${rows} rows are more than ${maxRows}: give a random part of them`
  const lists = [
    input.treatment,
    input.covariates,
    input.propensity,
    input.blocks,
    ...(input.controlOutcomes ?? []),
  ]
  for (const list of lists)
    if (list !== undefined && list.length !== rows)
      return `lists differ in length: ${list.length} entries beside ${rows} outcomes`
  const { lags = 0 } = input
  if (!(Number.isInteger(lags) && lags >= 0)) return `lags is ${lags}: give a whole number, 0 or more`
  const columns = input.covariates[0]!.length
  if (columns > maxCovariates) return `${columns} covariates are more than ${maxCovariates}`
  for (let row = 0; row < rows; row++)
    if (input.covariates[row]!.length !== columns)
      return `row ${row + 1} has ${input.covariates[row]!.length} covariates, the first has ${columns}`
  return undefined
}

function valueProblem(input: EffectInput, rows: number): string | undefined {
  for (let row = 0; row < rows; row++) {
    const treatment = Number(input.treatment[row])
    if (treatment !== 0 && treatment !== 1) return `row ${row + 1}: the treatment is neither 0 nor 1`
    if (!Number.isFinite(input.outcome[row])) return `row ${row + 1}: the outcome is not a finite number`
    const covariates = input.covariates[row]!
    for (let column = 0; column < covariates.length; column++)
      if (!Number.isFinite(covariates[column]))
        return `row ${row + 1}: covariate ${column + 1} is not a finite number`
    if (input.blocks !== undefined && !Number.isFinite(input.blocks[row]))
      return `row ${row + 1}: the block is not a finite number`
    const propensity = input.propensity?.[row] ?? 0.5
    if (!(propensity > 0 && propensity < 1)) return `row ${row + 1}: the propensity is not between 0 and 1`
    for (const outcomes of input.controlOutcomes ?? [])
      if (!Number.isFinite(outcomes[row])) return `row ${row + 1}: a control outcome is not a finite number`
  }
  return undefined
}

function variationProblem(input: EffectInput, rows: number): string | undefined {
  let treated = 0
  let isConstant = true
  for (let row = 0; row < rows; row++) {
    treated += Number(input.treatment[row])
    if (input.outcome[row] !== input.outcome[0]) isConstant = false
  }
  if (treated === 0) return 'no row was treated'
  if (treated === rows) return 'all rows were treated'
  if (Math.min(treated, rows - treated) < leastRowsOfArm)
    return `${treated} of ${rows} rows were treated: at least ${leastRowsOfArm} of each kind are needed`
  if (isConstant) return 'the outcome is the same in all rows'
  return undefined
}

/** The rows of those indices. */
export function part(sample: Sample, indices: ArrayLike<number>): Sample {
  return {
    x: rowsOf(sample.x, indices),
    treated: pick(sample.treated, indices),
    y: pick(sample.y, indices),
    blocks: sample.blocks && pick(sample.blocks, indices),
    lags: sample.lags,
    propensity: sample.propensity && pick(sample.propensity, indices),
  }
}

/** The given blocks or, where rows follow each other in time, stretches of as many rows as one is felt; undefined for independent rows. */
export function blocksOf({ blocks, lags = 0, y }: Sample): Float64Array | undefined {
  if (blocks !== undefined || lags === 0) return blocks
  return y.map((_, row) => Math.floor(row / (lags + 1)))
}

/** What the standard errors of these rows have to reckon with. */
export function dependenceOf({ blocks, lags = 0 }: Sample): Dependence {
  if (blocks !== undefined) return { kind: 'blocks', blocks }
  return lags > 0 ? { kind: 'newey-west', lags } : { kind: 'independent' }
}
