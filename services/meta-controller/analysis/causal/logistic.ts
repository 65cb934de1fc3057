import { constantModel, type Model, scaled, scalingOf } from './learner.ts'
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

const penalties = [0.001, 0.01, 0.03, 0.1, 0.3, 1]
const maxIterations = 12
const closeEnough = 1e-4

/**
 * The probability of treatment given covariates: logistic regression with a squared penalty on the scaled covariates (le
 * Cessie and van Houwelingen 1992), the penalty chosen by Akaike's criterion with effective degrees of freedom.
 * `treated` holds 0 and 1; steps end when no coefficient moves by more than `tolerance`. Where all are alike, the model gives their share.
 */
export function fitPropensity(
  x: Matrix,
  treated: Float64Array,
  tried: readonly number[] = penalties,
  tolerance = closeEnough,
): Model {
  let count = 0
  for (const one of treated) count += one
  const share = treated.length === 0 ? 0.5 : count / treated.length
  if (x.columns === 0 || count === 0 || count === treated.length) return constantModel(share)
  const scaling = scalingOf(x)
  const z = withColumn(scaled(x, scaling), new Float64Array(x.rows).fill(1))
  let best: Float64Array | undefined
  let least = Number.POSITIVE_INFINITY
  let from: Float64Array = new Float64Array(z.columns)
  from[z.columns - 1] = Math.log(share / (1 - share))
  for (const penalty of tried.toReversed()) {
    const fit = iterate(z, treated, { penalty: penalty * x.rows, from, tolerance })
    from = fit.coefficients
    if (fit.criterion >= least && best !== undefined) continue
    least = fit.criterion
    best = fit.coefficients
  }
  return (other) =>
    probabilities(withColumn(scaled(other, scaling), new Float64Array(other.rows).fill(1)), best!)
}

function probabilities(z: Matrix, coefficients: Float64Array): Float64Array {
  return times(z, coefficients).map((value) => 1 / (1 + Math.exp(-value)))
}

/** Iteratively reweighted least squares; the last column is the unpenalised intercept. */
function iterate(
  z: Matrix,
  treated: Float64Array,
  { penalty, from, tolerance }: { penalty: number; from: Float64Array; tolerance: number },
) {
  const size = z.columns
  let coefficients = from
  let freedom = size
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const p = probabilities(z, coefficients)
    const gram = gramOf(
      z,
      p.map((value) => Math.max(1e-6, value * (1 - value))),
    )
    const gradient = transposedTimes(
      z,
      p.map((value, row) => treated[row]! - value),
    )
    const raised = Float64Array.from(gram)
    for (let i = 0; i < size - 1; i++) {
      raised[i * size + i]! += penalty * varianceScale
      gradient[i]! -= penalty * varianceScale * coefficients[i]!
    }
    const l = choleskyOf(raised, size)
    const step = solveCholesky(l, gradient)
    const longest = step.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const share = Math.min(1, maxStep / longest)
    coefficients = coefficients.map((value, i) => value + share * step[i]!)
    if (longest > tolerance && iteration < maxIterations - 1) continue
    freedom = traceOfSolved(l, gram, size)
    break
  }
  return { coefficients, criterion: deviance(probabilities(z, coefficients), treated) + 2 * freedom }
}

/** Penalties are given as a share of the information of a row at probability one half. */
const varianceScale = 0.25
/** No coefficient moves by more than this in a step: separated arms must not run away. */
const maxStep = 3

function deviance(p: Float64Array, treated: Float64Array): number {
  let sum = 0
  for (let row = 0; row < p.length; row++)
    sum -= 2 * Math.log(Math.max(1e-12, treated[row] === 1 ? p[row]! : 1 - p[row]!))
  return sum
}
