import type { Random } from '../../../platform/statistics/random.ts'
import { emptyMatrix, type Matrix } from './matrix.ts'

/** Predicts the outcome of each row of covariates. */
export type Model = (x: Matrix) => Float64Array

/** What predicts an outcome from covariates. It never fails: with too little to learn from, its model gives the mean. */
export interface Learner {
  readonly name: string
  fit(x: Matrix, y: Float64Array, random: Random): Model
}

/** Column means and standard deviations, by which other rows of the same kind are put on the same scale. */
export interface Scaling {
  readonly means: Float64Array
  /** 0 for a constant column, which becomes a column of zeros. */
  readonly inverseDeviations: Float64Array
}

export function scalingOf(x: Matrix): Scaling {
  const { rows, columns, data } = x
  const means = new Float64Array(columns)
  const squares = new Float64Array(columns)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) means[column]! += data[row * columns + column]! / rows
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      squares[column]! += (data[row * columns + column]! - means[column]!) ** 2 / rows
  const inverseDeviations = squares.map((square, column) => {
    const deviation = Math.sqrt(square)
    return deviation > 1e-9 * (1 + Math.abs(means[column]!)) ? 1 / deviation : 0
  })
  return { means, inverseDeviations }
}

/** The rows on that scale. */
export function scaled(x: Matrix, { means, inverseDeviations }: Scaling): Matrix {
  const { rows, columns, data } = x
  const result = emptyMatrix(rows, columns)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column
      result.data[at] = (data[at]! - means[column]!) * inverseDeviations[column]!
    }
  return result
}

/** The model that knows no covariate. */
export function constantModel(value: number): Model {
  return (x) => new Float64Array(x.rows).fill(value)
}
