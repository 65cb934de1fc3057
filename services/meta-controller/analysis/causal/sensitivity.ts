import { type Nuisances, weighing } from './aipw.ts'
import { scaled, scalingOf } from './learner.ts'
import { choleskyOf, gramOf, type Matrix, solveCholesky, withColumn } from './matrix.ts'
import type { Sample } from './sample.ts'

/**
 * The E-value (VanderWeele and Ding 2017): how strongly, as a risk ratio, a hidden cause must go with both treatment and outcome
 * to explain the effect away. A difference d in standard deviations counts as the ratio exp(0.91 d). 1: nothing needs explaining.
 * Example: a ratio of 3.9 has 7.26.
 */
export function eValueOfRatio(ratio: number): number {
  const above = ratio < 1 ? 1 / ratio : ratio
  return Number.isFinite(above) ? above + Math.sqrt(above * (above - 1)) : Number.POSITIVE_INFINITY
}

/** E-values of a difference of means and of the limit of its interval nearest to no effect. */
export function eValues(
  estimate: number,
  se: number,
  deviation: number,
): { estimate: number; limit: number } {
  if (!(deviation > 0)) return { estimate: 1, limit: 1 }
  const d = Math.abs(estimate) / deviation
  const limit = 0.91 * d - (1.78 * se) / deviation
  return {
    estimate: eValueOfRatio(Math.exp(0.91 * d)),
    limit: limit <= 0 ? 1 : eValueOfRatio(Math.exp(limit)),
  }
}

/** How far a hidden cause can move the estimate: |bias| ≤ scale · √c_y · √(c_t / (1 − c_t)). */
export interface BiasScale {
  readonly scale: number
}

/**
 * Chernozhukov, Cinelli, Newey, Sharma and Syrgkanis 2022, "Long story short": scale² = E(y − m)² · E α², α = t/e − (1 − t)/(1 − e).
 * c_y is the part of the outcome's unexplained variance that the hidden cause explains, c_t how much it adds to that of α.
 */
export function biasScaleOf(sample: Sample, nuisances: Nuisances): BiasScale {
  const rows = sample.y.length
  let outcome = 0
  let weight = 0
  for (let row = 0; row < rows; row++) {
    const e = weighing(sample, nuisances.propensity[row]!)
    const t = sample.treated[row]!
    const expected = t === 1 ? nuisances.treated[row]! : nuisances.untreated[row]!
    outcome += (sample.y[row]! - expected) ** 2 / rows
    weight += (t / e - (1 - t) / (1 - e)) ** 2 / rows
  }
  return { scale: Math.sqrt(outcome * weight) }
}

/** The most that a hidden cause of those strengths moves the estimate. */
export function biasBound({ scale }: BiasScale, ofOutcome: number, ofTreatment: number): number {
  return scale * Math.sqrt(ofOutcome) * Math.sqrt(ofTreatment / (1 - ofTreatment))
}

/**
 * The strength c = c_y = c_t of a hidden cause that could move an effect of this distance from 0 to 0: the root of
 * scale · c / √(1 − c) = distance. 0: nothing is needed, near 1: next to nothing else may matter.
 * Example: with scale 1, a distance of 1 has (√5 − 1) / 2 = 0.618.
 */
export function robustnessValue({ scale }: BiasScale, distance: number): number {
  if (!(distance > 0)) return 0
  if (!(scale > 0)) return 1
  const k = (distance / scale) ** 2
  return k > 1e8 ? 1 : (-k + Math.sqrt(k * k + 4 * k)) / 2
}

/** How much one observed covariate explains beyond the others. */
export interface Strength {
  readonly column: number
  readonly ofOutcome: number
  readonly ofTreatment: number
}

/**
 * Strengths of the observed covariates, as partial R² of linear regressions of y on t and x and of t on x: the yardstick for
 * hidden ones (Cinelli and Hazlett 2020).
 */
export function observedStrengths(sample: Sample): Strength[] {
  const z = scaled(sample.x, scalingOf(sample.x))
  const ofTreatment = partialShares(z, sample.treated)
  const ofOutcome = partialShares(withColumn(z, sample.treated), sample.y)
  return Array.from({ length: z.columns }, (_, column) => ({
    column,
    ofOutcome: ofOutcome[column]!,
    ofTreatment: ofTreatment[column]!,
  }))
}

/** Partial R² of each column, β² / (β² + RSS · (G⁻¹)_jj). */
function partialShares(x: Matrix, y: Float64Array): Float64Array {
  const { columns, rows } = x
  const all = withColumn(withColumn(x, new Float64Array(rows).fill(1)), y)
  const size = columns + 1
  const full = gramOf(all)
  const gram = new Float64Array(size * size)
  const moment = new Float64Array(size)
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) gram[i * size + j] = full[i * (size + 1) + j]!
    gram[i * size + i]! += 1e-9 * (gram[i * size + i]! + 1)
    moment[i] = full[i * (size + 1) + size]!
  }
  const l = choleskyOf(gram, size)
  const coefficients = solveCholesky(l, moment)
  let left = full[size * (size + 1) + size]!
  for (let i = 0; i < size; i++) left -= coefficients[i]! * moment[i]!
  return Float64Array.from({ length: columns }, (_, column) => {
    if (gram[column * size + column]! < 1e-6) return 0
    const unit = new Float64Array(size)
    unit[column] = 1
    const variance = solveCholesky(l, unit)[column]!
    const gain = coefficients[column]! ** 2
    const share = gain / (gain + Math.max(0, left) * variance)
    return Number.isFinite(share) ? Math.min(share, 0.999) : 0
  })
}
