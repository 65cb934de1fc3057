import { meanOf, varianceOf } from '../../../platform/statistics/order.ts'
import { constantModel, type Learner, scaled, scalingOf } from './learner.ts'
import {
  choleskyOf,
  gramOf,
  type Matrix,
  solveCholesky,
  times,
  traceOfSolved,
  transposedTimes,
  withColumn,
} from './matrix.ts'

const penalties = [0.001, 0.01, 0.05, 0.2]
const maxIterations = 30
const maxHalvings = 12
/** e to this times the outcome's deviation is as far as a prediction goes: covariates far off must not overflow it. */
const maxExponent = 8

/**
 * Regression with an exponential link, y ≈ exp(a + xβ), by penalised least squares (Gauss-Newton with halved steps): what
 * multiplies, such as latency, is linear in its logarithm, and outcomes at or below 0 are no obstacle. Outcomes whose mean is
 * not positive are predicted by their mean. Example: y = exp(1 + x / 2) without noise is learnt to within 1 %.
 */
export const exponential: Learner = {
  name: 'exponential',
  fit(x, y) {
    const mean = meanOf(y)
    const deviation = Math.sqrt(varianceOf(y))
    if (x.rows < 3 || x.columns === 0 || !(mean > 0.05 * deviation) || deviation === 0)
      return constantModel(mean)
    const scaling = scalingOf(x)
    const z = withColumn(scaled(x, scaling), new Float64Array(x.rows).fill(1))
    const target = y.map((value) => value / deviation)
    let best = start(z, mean / deviation)
    let least = Number.POSITIVE_INFINITY
    let from = best
    for (const penalty of penalties.toReversed()) {
      const fit = descend(z, target, penalty * x.rows, from)
      from = fit.coefficients
      if (fit.error >= least) continue
      least = fit.error
      best = fit.coefficients
    }
    return (other) => {
      const ones = new Float64Array(other.rows).fill(1)
      return linked(withColumn(scaled(other, scaling), ones), best).map((value) => value * deviation)
    }
  },
}

function start(z: Matrix, mean: number): Float64Array {
  const coefficients = new Float64Array(z.columns)
  coefficients[z.columns - 1] = Math.log(mean)
  return coefficients
}

function linked(z: Matrix, coefficients: Float64Array): Float64Array {
  return times(z, coefficients).map((value) => Math.exp(Math.min(maxExponent, value)))
}

function lossOf(fitted: Float64Array, y: Float64Array, coefficients: Float64Array, penalty: number): number {
  let loss = 0
  for (let row = 0; row < y.length; row++) loss += (y[row]! - fitted[row]!) ** 2
  for (let i = 0; i < coefficients.length - 1; i++) loss += penalty * coefficients[i]! ** 2
  return loss
}

/** Gauss-Newton from a start; the last column is the unpenalised intercept. `error` is the generalised cross-validation error. */
function descend(z: Matrix, y: Float64Array, penalty: number, from: Float64Array) {
  const size = z.columns
  let coefficients = from
  let fitted = linked(z, coefficients)
  let loss = lossOf(fitted, y, coefficients, penalty)
  let freedom = () => size
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const step = newtonStep(z, y, fitted, coefficients, penalty)
    freedom = step.freedom
    const before = loss
    for (let halving = 0, share = 1; halving < maxHalvings; halving++, share /= 2) {
      const tried = coefficients.map((value, i) => value + share * step.direction[i]!)
      const triedFitted = linked(z, tried)
      const triedLoss = lossOf(triedFitted, y, tried, penalty)
      if (!(triedLoss < loss)) continue
      ;[coefficients, fitted, loss] = [tried, triedFitted, triedLoss]
      break
    }
    if (before - loss < 1e-7 * before) break
  }
  const squares = lossOf(fitted, y, coefficients, 0)
  const left = Math.max(y.length - freedom(), 1e-6 * y.length)
  return { coefficients, error: (y.length * squares) / left ** 2 }
}

function newtonStep(
  z: Matrix,
  y: Float64Array,
  fitted: Float64Array,
  coefficients: Float64Array,
  penalty: number,
) {
  const size = z.columns
  const gram = gramOf(
    z,
    fitted.map((value) => value * value),
  )
  const gradient = transposedTimes(
    z,
    fitted.map((value, row) => value * (y[row]! - value)),
  )
  const raised = Float64Array.from(gram)
  for (let i = 0; i < size - 1; i++) {
    raised[i * size + i]! += penalty
    gradient[i]! -= penalty * coefficients[i]!
  }
  const l = choleskyOf(raised, size)
  return { direction: solveCholesky(l, gradient), freedom: () => traceOfSolved(l, gram, size) }
}
