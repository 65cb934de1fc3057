import { meanOf, medianOf, varianceOf } from '../../../platform/statistics/order.ts'
import { type Random, shuffled } from '../../../platform/statistics/random.ts'
import { constantModel, type Learner, scaled, scalingOf } from './learner.ts'
import { choleskyOf, emptyMatrix, type Matrix, pick, rowsOf, solveCholesky } from './matrix.ts'

/** Squared widths, as multiples of the median squared distance of two rows. */
const widths = [1, 4]
const penalties = [0.03, 0.15]
/** The cost grows with the cube of the rows; beyond this many a random part of them is learnt from. */
const maxRows = 700
const maxDistances = 2000

/**
 * Kernel ridge regression with a Gaussian kernel on scaled covariates (Saunders, Gammerman and Vovk 1998). Width and penalty
 * are those of the greatest marginal likelihood of the Gaussian process that it is the mean of. Example: y = sin 3x is learnt.
 */
export const kernelRidge: Learner = {
  name: 'kernel ridge',
  fit(x, y, random) {
    const mean = meanOf(y)
    const deviation = Math.sqrt(varianceOf(y))
    if (x.rows < 5 || x.columns === 0 || deviation === 0) return constantModel(mean)
    const scaling = scalingOf(x)
    const chosen = x.rows <= maxRows ? undefined : sample(x.rows, random)
    const z = scaled(chosen === undefined ? x : rowsOf(x, chosen), scaling)
    const target = (chosen === undefined ? y : pick(y, chosen)).map((value) => (value - mean) / deviation)
    const squares = distances(z, z)
    const unit = medianDistance(squares, z.rows)
    if (!(unit > 0)) return constantModel(mean)
    const { weights, width } = mostLikely(squares, target, unit)
    return (other) => {
      const kernel = distances(scaled(other, scaling), z)
      const result = new Float64Array(other.rows)
      for (let row = 0; row < other.rows; row++) {
        let sum = 0
        for (let j = 0; j < z.rows; j++)
          sum += weights[j]! * Math.exp(-kernel.data[row * z.rows + j]! / width)
        result[row] = mean + deviation * sum
      }
      return result
    }
  },
}

function sample(rows: number, random: Random): number[] {
  return shuffled(
    Array.from({ length: rows }, (_, row) => row),
    random,
  ).slice(0, maxRows)
}

/** Squared distances of each row of `a` to each of `b`. */
function distances(a: Matrix, b: Matrix): Matrix {
  const result = emptyMatrix(a.rows, b.rows)
  const { columns } = a
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < b.rows; j++) {
      let sum = 0
      for (let k = 0; k < columns; k++) {
        const difference = a.data[i * columns + k]! - b.data[j * columns + k]!
        sum += difference * difference
      }
      result.data[i * b.rows + j] = sum
    }
  return result
}

function medianDistance(squares: Matrix, rows: number): number {
  const step = Math.max(1, Math.floor((rows * rows) / maxDistances)) | 1
  const picked: number[] = []
  for (let at = 0; at < rows * rows; at += step) if (squares.data[at]! > 0) picked.push(squares.data[at]!)
  return medianOf(picked)
}

function mostLikely(squares: Matrix, target: Float64Array, unit: number) {
  let best: { weights: Float64Array; width: number } = {
    weights: new Float64Array(target.length),
    width: unit,
  }
  let least = Number.POSITIVE_INFINITY
  for (const multiple of widths)
    for (const penalty of penalties) {
      const { weights, cost } = likelihood(squares, target, unit * multiple, penalty)
      if (cost >= least) continue
      least = cost
      best = { weights, width: unit * multiple }
    }
  return best
}

/** Weights (K + λI)⁻¹y and −2/n times the profiled log-likelihood, n ln(y'(K + λI)⁻¹y) + ln det(K + λI). */
function likelihood(squares: Matrix, target: Float64Array, width: number, penalty: number) {
  const size = target.length
  const kernel = squares.data.map((square) => Math.exp(-square / width))
  for (let i = 0; i < size; i++) kernel[i * size + i]! += penalty
  const l = choleskyOf(kernel, size)
  const weights = solveCholesky(l, target)
  let product = 0
  let logDeterminant = 0
  for (let i = 0; i < size; i++) {
    product += target[i]! * weights[i]!
    logDeterminant += 2 * Math.log(l[i * size + i]!)
  }
  return { weights, cost: size * Math.log(Math.max(product, 1e-300)) + logDeterminant }
}
