import { meanOf, medianOf, varianceOf } from '../../../platform/statistics/order.ts'
import { type Random, shuffled } from '../../../platform/statistics/random.ts'
import { constantModel, type Learner, type Model, scaled, scalingOf } from './learner.ts'
import { choleskyOf, emptyMatrix, type Matrix, pick, rowsOf, solveCholesky } from './matrix.ts'

/** Squared widths, as multiples of the median squared distance of two rows. */
const widths = [1, 3, 10]
const penalties = [0.02, 0.1, 0.5]
/** The cost grows with the cube of the rows; beyond this many a random part of them is learnt from. */
const maxRows = 700
const maxDistances = 2000

/** Width and penalty are chosen by a random part of the rows: more would cost much and change little. */
const maxTuningRows = 120

interface Setting {
  readonly multiple: number
  readonly penalty: number
}

/**
 * Kernel ridge regression with a Gaussian kernel on scaled covariates (Saunders, Gammerman and Vovk 1998). Width and penalty
 * are those of the greatest marginal likelihood of the Gaussian process that it is the mean of. Example: y = sin 3x is learnt.
 */
export const kernelRidge: Learner = {
  name: 'kernel ridge',
  fit(x, y, random) {
    const chosen = drawn(x.rows, maxTuningRows, random)
    const { z, target, unit } = prepared(rowsOf(x, chosen), pick(y, chosen))
    const setting = unit > 0 ? mostLikely(distances(z, z), target, unit) : { multiple: 1, penalty: 1 }
    return fitted(x, y, setting, random)
  },
}

/** Covariates and outcome on a common scale, and the median squared distance of two rows: 0 where nothing can be learnt. */
function prepared(x: Matrix, y: Float64Array) {
  const mean = meanOf(y)
  const deviation = Math.sqrt(varianceOf(y))
  const scaling = scalingOf(x)
  const z = scaled(x, scaling)
  const target = y.map((value) => (deviation > 0 ? (value - mean) / deviation : 0))
  const isUsable = x.rows >= 5 && x.columns > 0 && deviation > 0
  return { mean, deviation, scaling, z, target, unit: isUsable ? medianDistance(z) : 0 }
}

function fitted(x: Matrix, y: Float64Array, { multiple, penalty }: Setting, random: Random): Model {
  const chosen = drawn(x.rows, maxRows, random)
  const { mean, deviation, scaling, z, target, unit } = prepared(rowsOf(x, chosen), pick(y, chosen))
  if (!(unit > 0)) return constantModel(meanOf(y))
  const width = unit * multiple
  const { weights } = likelihood(distances(z, z), target, width, penalty)
  return (other) => {
    const squares = distances(scaled(other, scaling), z)
    const result = new Float64Array(other.rows)
    for (let row = 0; row < other.rows; row++) {
      let sum = 0
      for (let j = 0; j < z.rows; j++) sum += weights[j]! * Math.exp(-squares.data[row * z.rows + j]! / width)
      result[row] = mean + deviation * sum
    }
    return result
  }
}

/** At most so many of the rows, by lot. */
function drawn(rows: number, most: number, random: Random): number[] {
  const all = Array.from({ length: rows }, (_, row) => row)
  return rows <= most ? all : shuffled(all, random).slice(0, most)
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

/** Of pairs of rows that are not alike; 0 where all are. */
function medianDistance(z: Matrix): number {
  const { rows, columns, data } = z
  const picked: number[] = []
  const stride = Math.max(1, Math.floor((rows * rows) / maxDistances)) | 1
  for (let pair = 0; pair < rows * rows; pair += stride) {
    const i = Math.floor(pair / rows) * columns
    const j = (pair % rows) * columns
    let sum = 0
    for (let k = 0; k < columns; k++) sum += (data[i + k]! - data[j + k]!) ** 2
    if (sum > 0) picked.push(sum)
  }
  return picked.length === 0 ? 0 : medianOf(picked)
}

function mostLikely(squares: Matrix, target: Float64Array, unit: number): Setting {
  let best: Setting = { multiple: 1, penalty: 1 }
  let least = Number.POSITIVE_INFINITY
  for (const multiple of widths)
    for (const penalty of penalties) {
      const { cost } = likelihood(squares, target, unit * multiple, penalty)
      if (cost >= least) continue
      least = cost
      best = { multiple, penalty }
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
