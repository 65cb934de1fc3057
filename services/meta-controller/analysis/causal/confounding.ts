import { normalCdf, normalQuantile } from '../../../platform/statistics/normal.ts'
import { meanOf } from '../../../platform/statistics/order.ts'
import type { Random } from '../../../platform/statistics/random.ts'
import { crossFit, scoresOf } from './aipw.ts'
import { type Interval, standardErrorOfMean } from './interval.ts'
import { scaled, scalingOf } from './learner.ts'
import { choleskyOf, solveCholesky } from './matrix.ts'
import type { Refutation } from './resample.ts'
import { ridge } from './ridge.ts'
import { blocksOf, dependenceOf, type Sample } from './sample.ts'
import { type BiasScale, biasBound, robustnessValue, type Strength } from './sensitivity.ts'

/** How often rows without any hidden common cause may be suspected of one, by the tests that have a level. */
export const controlLevel = 0.01
const assignmentLevel = 0.001

/**
 * Negative control outcomes (Lipsitch, Tchetgen Tchetgen and Cohen 2010): an "effect" on outcomes that came before the treatment
 * is that of a hidden common cause. Half of the level is spent on their mean, half on each by itself. `propensity` is out of fold.
 */
export function controlOutcomes(
  sample: Sample,
  propensity: Float64Array,
  controls: readonly ArrayLike<number>[],
  random: Random,
): Refutation {
  const standard = controls.map((values) => normalScores(values))
  const mean = Float64Array.from(sample.y, (_, row) => meanOf(standard.map((one) => one[row]!)))
  const test = (y: Float64Array) => {
    const measured = { ...sample, propensity, y }
    const { scores, estimate } = scoresOf(
      measured,
      crossFit(measured, { folds: controlFolds, learners: [ridge], random }),
    )
    const { se } = standardErrorOfMean(scores, dependenceOf(sample))
    return se > 0 ? estimate / se : 0
  }
  const together = test(mean)
  const each = controls.length > 1 ? standard.map(test) : []
  const farthest = each.reduce((most, z) => (Math.abs(z) > Math.abs(most) ? z : most), 0)
  const share = each.length > 0 ? 2 : 1
  const found =
    Math.abs(together) > normalQuantile(1 - controlLevel / 2 / share) ||
    Math.abs(farthest) > normalQuantile(1 - controlLevel / 4 / Math.max(1, each.length))
  const single = each.length > 0 ? `, the farthest of them by ${farthest.toFixed(1)}` : ''
  return {
    name: 'outcome before the treatment',
    passed: !found,
    remark: `the treatment goes with outcomes that came before it (${controls.length}) by ${together.toFixed(1)} standard errors${single}`,
  }
}

const controlFolds = 5

/** Each value by its rank, as a quantile of the normal distribution: what has no effect has none on ranks, and no tail can hide one. */
function normalScores(values: ArrayLike<number>): Float64Array {
  const rows = values.length
  const order = Uint32Array.from({ length: rows }, (_, row) => row).sort((a, b) => values[a]! - values[b]!)
  const result = new Float64Array(rows)
  for (let from = 0; from < rows; ) {
    let to = from
    while (to + 1 < rows && values[order[to + 1]!] === values[order[from]!]) to++
    const score = normalQuantile((from + to + 1) / (2 * rows))
    for (let place = from; place <= to; place++) result[order[place]!] = score
    from = to + 1
  }
  return result
}

/**
 * Where the propensity is known, t − e must have mean 0 and go with no covariate: a quadratic form of chi-square distribution,
 * at level 0.1 %. An assignment that does not follow its own probabilities is worth nothing as an experiment.
 */
export function assignment(sample: Sample, propensity: Float64Array): Refutation {
  const { columns, data } = scaled(sample.x, scalingOf(sample.x))
  const size = columns + 1
  const blocks = blocksOf(sample)
  const groups = new Map<number, Float64Array>()
  for (let row = 0; row < sample.y.length; row++) {
    const key = blocks === undefined ? row : blocks[row]!
    const sums = groups.get(key) ?? new Float64Array(size)
    groups.set(key, sums)
    const difference = sample.treated[row]! - propensity[row]!
    for (let column = 0; column < columns; column++)
      sums[column]! += difference * data[row * columns + column]!
    sums[columns]! += difference
  }
  const used = groups.size >= 5 * size ? size : 1
  const { statistic, freedom } = quadraticForm([...groups.values()], used)
  const p = chiSquareTail(statistic, freedom)
  return {
    name: 'assignment as drawn',
    passed: p >= assignmentLevel,
    remark: `the treatment follows its known propensity with p = ${p.toPrecision(2)}`,
  }
}

/** S'V⁻¹S of the sums S and V = Σ s s' over groups, of the last `used` entries. */
function quadraticForm(groups: readonly Float64Array[], used: number) {
  const size = groups[0]!.length
  const from = size - used
  const sum = new Float64Array(used)
  const variance = new Float64Array(used * used)
  for (const group of groups)
    for (let i = 0; i < used; i++) {
      sum[i]! += group[from + i]!
      for (let j = 0; j < used; j++) variance[i * used + j]! += group[from + i]! * group[from + j]!
    }
  let largest = 0
  for (let i = 0; i < used; i++) largest = Math.max(largest, variance[i * used + i]!)
  let freedom = 0
  for (let i = 0; i < used; i++) {
    if (variance[i * used + i]! > 1e-9 * largest) freedom++
    variance[i * used + i]! += 1e-9 * largest
  }
  if (largest === 0) return { statistic: 0, freedom: 1 }
  const solved = solveCholesky(choleskyOf(variance, used), sum)
  return {
    statistic: solved.reduce((total, value, i) => total + value * sum[i]!, 0),
    freedom: Math.max(1, freedom),
  }
}

/** P(χ² > x), by Wilson and Hilferty's cube root. Example: chiSquareTail(3.84, 1) is about 0.05. */
export function chiSquareTail(x: number, freedom: number): number {
  const spread = 2 / (9 * freedom)
  return normalCdf(-(Math.cbrt(x / freedom) - (1 - spread)) / Math.sqrt(spread))
}

/** Strengths of a hidden cause, as partial R², that are tried on both sides. */
const grid = [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5]

/**
 * A hidden common cause as strong as the strongest observed covariate must leave the sign of a claimed effect; an effect whose
 * interval has 0 is no claim. The grid tells which strengths would take it.
 */
export function unobservedCause(
  interval: Interval,
  scale: BiasScale,
  strengths: readonly Strength[],
): Refutation {
  const name = 'unobserved common cause'
  if (interval.low <= 0 && interval.high >= 0)
    return { name, passed: true, remark: 'the interval has 0: there is no effect to explain away' }
  const distance = Math.min(Math.abs(interval.low), Math.abs(interval.high))
  const takes = (strength: number) => biasBound(scale, strength, strength) >= distance
  const flipping = grid.find(takes)
  const rivals = strengths.map((one) => ({
    column: one.column,
    bias: biasBound(scale, one.ofOutcome, one.ofTreatment),
  }))
  const strongest = rivals.reduce((most, one) => (one.bias > most.bias ? one : most), { column: -1, bias: 0 })
  const value = robustnessValue(scale, distance)
  return {
    name,
    passed: strongest.bias < distance && value >= leastRobustness,
    remark: [
      flipping === undefined
        ? 'no cause in the grid reverses it'
        : `it takes a cause that explains ${100 * flipping} % of both sides to reverse it`,
      strongest.column < 0
        ? 'there is no covariate to compare with'
        : `one as strong as covariate ${strongest.column + 1} moves it by ${Number(strongest.bias.toPrecision(3))} of ${Number(distance.toPrecision(3))}`,
    ].join('; '),
  }
}

/** A hidden cause that explains a twentieth of what is left on both sides is easily overlooked. */
const leastRobustness = 0.05
