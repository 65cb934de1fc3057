import { meanOf } from '../../../platform/statistics/order.ts'
import { studentQuantile } from '../../../platform/statistics/student.ts'

export interface Interval {
  readonly low: number
  readonly high: number
  readonly se: number
}

/** How rows depend on each other: not at all, within blocks, or on those up to so many rows before (Newey and West 1987). */
export type Dependence =
  | { readonly kind: 'independent' }
  | { readonly kind: 'blocks'; readonly blocks: ArrayLike<number> }
  | { readonly kind: 'newey-west'; readonly lags: number }

/** The standard error of the mean of `values`, and the degrees of freedom that it was estimated with. */
export function standardErrorOfMean(
  values: Float64Array,
  dependence: Dependence,
): { se: number; freedom: number } {
  const mean = meanOf(values)
  const deviations = values.map((value) => value - mean)
  const rows = values.length
  if (dependence.kind === 'blocks') return blockError(deviations, dependence.blocks)
  const lags = dependence.kind === 'newey-west' ? Math.min(dependence.lags, rows - 1) : 0
  let sum = autocovariance(deviations, 0)
  for (let lag = 1; lag <= lags; lag++) sum += 2 * (1 - lag / (lags + 1)) * autocovariance(deviations, lag)
  return { se: Math.sqrt(Math.max(0, sum) / (rows * Math.max(1, rows - 1))), freedom: rows - 1 }
}

function autocovariance(deviations: Float64Array, lag: number): number {
  let sum = 0
  for (let row = lag; row < deviations.length; row++) sum += deviations[row]! * deviations[row - lag]!
  return sum
}

function blockError(deviations: Float64Array, blocks: ArrayLike<number>) {
  const sums = new Map<number, number>()
  for (let row = 0; row < deviations.length; row++)
    sums.set(blocks[row]!, (sums.get(blocks[row]!) ?? 0) + deviations[row]!)
  let squares = 0
  for (const sum of sums.values()) squares += sum * sum
  const count = sums.size
  if (count < 2) return { se: Number.POSITIVE_INFINITY, freedom: 1 }
  return { se: Math.sqrt((squares * count) / (count - 1)) / deviations.length, freedom: count - 1 }
}

/** The 95 % interval of an estimate whose error, estimated with that many degrees of freedom, is `se`. */
export function intervalAround(estimate: number, se: number, freedom: number): Interval {
  const half = studentQuantile(0.975, freedom) * se
  return { low: estimate - half, high: estimate + half, se }
}
