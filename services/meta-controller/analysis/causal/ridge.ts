import { meanOf } from '../../../platform/statistics/order.ts'
import { constantModel, type Learner, scaled, scalingOf } from './learner.ts'
import {
  choleskyOf,
  gramOf,
  type Matrix,
  solveCholesky,
  times,
  traceOfSolved,
  transposedTimes,
} from './matrix.ts'

/** Penalties tried, as a share of the number of rows. */
const penalties = [0.00003, 0.0003, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 10]
/** A smaller penalty is preferred as long as its error is no more than this part above the least: what a penalty shrinks is bias. */
const undersmoothing = 0.02

/**
 * Linear regression with a squared penalty on the scaled covariates (Hoerl and Kennard 1970); the penalty is the one of the
 * least generalised cross-validation error (Golub, Heath and Wahba 1979), or a smaller one that is nearly as good. Example: y = 2x without noise is learnt to within 0.1 %.
 */
export const ridge: Learner = {
  name: 'ridge',
  fit(x, y) {
    if (x.rows < 3 || x.columns === 0) return constantModel(meanOf(y))
    const scaling = scalingOf(x)
    const { coefficients, intercept } = ridgeOfScaled(scaled(x, scaling), y)
    return (other) => times(scaled(other, scaling), coefficients, intercept)
  },
}

interface LinearFit {
  readonly coefficients: Float64Array
  readonly intercept: number
}

/** The fit on columns that have mean 0. `tried` are the penalties, ascending, as a share of the number of rows. */
export function ridgeOfScaled(z: Matrix, y: Float64Array, tried: readonly number[] = penalties): LinearFit {
  const intercept = meanOf(y)
  const centred = y.map((value) => value - intercept)
  const gram = gramOf(z)
  const moment = transposedTimes(z, centred)
  let total = 0
  for (const value of centred) total += value * value
  const fits = tried.map((penalty) => penalised({ gram, moment, total, rows: z.rows }, penalty))
  const least = Math.min(...fits.map((fit) => fit.error))
  const { coefficients } = fits.find((fit) => fit.error <= (1 + undersmoothing) * least) ?? fits[0]!
  return { coefficients, intercept }
}

interface Moments {
  readonly gram: Float64Array
  readonly moment: Float64Array
  readonly total: number
  readonly rows: number
}

/** Coefficients of one penalty and their generalised cross-validation error n RSS / (n − df)². */
function penalised({ gram, moment, total, rows }: Moments, penalty: number) {
  const size = moment.length
  const raised = Float64Array.from(gram)
  for (let i = 0; i < size; i++) raised[i * size + i]! += penalty * rows
  const l = choleskyOf(raised, size)
  const coefficients = solveCholesky(l, moment)
  let squares = total
  for (let i = 0; i < size; i++) {
    let product = 0
    for (let j = 0; j < size; j++) product += gram[i * size + j]! * coefficients[j]!
    squares += coefficients[i]! * (product - 2 * moment[i]!)
  }
  const freedom = 1 + traceOfSolved(l, gram, size)
  const left = Math.max(rows - freedom, 1e-6 * rows)
  return { coefficients, error: (rows * Math.max(0, squares)) / left ** 2 }
}
