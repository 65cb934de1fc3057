import { meanOf, varianceOf } from '../../../platform/statistics/order.ts'
import type { Random } from '../../../platform/statistics/random.ts'
import { splitByFold, stratifiedFolds } from './folds.ts'
import { type Matrix, pick, rowsOf } from './matrix.ts'

/** Rows that are treated or not, or a question to them. */
export type PolicyTree =
  | { readonly treat: boolean }
  | { readonly column: number; readonly below: number; readonly yes: PolicyTree; readonly no: PolicyTree }

/** What following the tree is worth, per row, over treating none; told from rows that it was not made from. */
export interface PolicyValue {
  readonly tree: PolicyTree
  readonly value: number
  readonly low: number
  readonly high: number
  /** The same for treating all. */
  readonly valueOfAll: number
  /** What the tree gains over the better of treating all and treating none, with its interval. */
  readonly gain: { readonly value: number; readonly low: number; readonly high: number }
}

const maxThresholds = 24
const folds = 5
const leastInLeaf = 10
/** The search costs splits × rows × covariates: of more rows than these, evenly spaced ones are looked at. */
const maxGrownRows = 5000

/**
 * The tree of depth 2 that gains the most, Σ π(x)·ψ, by trying all pairs of splits (Athey and Wager 2021): at most 24 quantiles a
 * covariate. `scores` are doubly robust scores in a unit of which more is better: negate those of a latency.
 * Example: scores that are 1 where x1 > 0 and −1 elsewhere give "x1 below 0: do not treat, else treat".
 */
export function growPolicyTree(x: Matrix, scores: Float64Array): PolicyTree {
  const thresholds = thresholdsOf(x)
  const stride = Math.max(1, Math.ceil(x.rows / maxGrownRows))
  const all = Uint32Array.from({ length: Math.ceil(x.rows / stride) }, (_, place) => place * stride)
  let best = bestStump(x, scores, all, thresholds)
  for (let column = 0; column < x.columns; column++)
    for (const below of thresholds[column]!) {
      const isBelow = (row: number) => x.data[row * x.columns + column]! < below
      const yesRows = all.filter(isBelow)
      if (yesRows.length < leastInLeaf || all.length - yesRows.length < leastInLeaf) continue
      const yes = bestStump(x, scores, yesRows, thresholds)
      const no = bestStump(
        x,
        scores,
        all.filter((row) => !isBelow(row)),
        thresholds,
      )
      if (yes.gain + no.gain <= best.gain + 1e-9 * Math.abs(best.gain)) continue
      best = { gain: yes.gain + no.gain, tree: { column, below, yes: yes.tree, no: no.tree } }
    }
  return best.tree
}

function thresholdsOf(x: Matrix): number[][] {
  return Array.from({ length: x.columns }, (_, column) => {
    const values = new Float64Array(x.rows)
    for (let row = 0; row < x.rows; row++) values[row] = x.data[row * x.columns + column]!
    values.sort()
    const distinct = [...new Set(values)]
    const middle = (index: number) => (distinct[index - 1]! + distinct[index]!) / 2
    if (distinct.length <= maxThresholds) return distinct.slice(1).map((_, index) => middle(index + 1))
    const picked = Array.from(
      { length: maxThresholds },
      (_, index) => values[Math.floor(((index + 1) * values.length) / (maxThresholds + 1))]!,
    )
    return [...new Set(picked)].filter((value) => value !== values[0])
  })
}

/** The best of treating all of those rows, none, or one side of one split. */
function bestStump(
  x: Matrix,
  scores: Float64Array,
  rows: Uint32Array,
  thresholds: readonly (readonly number[])[],
) {
  let total = 0
  for (const row of rows) total += scores[row]!
  let best: { gain: number; tree: PolicyTree } = { gain: Math.max(0, total), tree: { treat: total > 0 } }
  for (let column = 0; column < x.columns; column++) {
    const bounds = thresholds[column]!
    if (bounds.length === 0) continue
    const { sums, counts } = sumsBetween(x, scores, rows, column, bounds)
    let sum = 0
    let count = 0
    for (let place = 0; place < bounds.length; place++) {
      sum += sums[place]!
      count += counts[place]!
      if (count < leastInLeaf || rows.length - count < leastInLeaf) continue
      const gain = Math.max(0, sum) + Math.max(0, total - sum)
      if (gain <= best.gain + 1e-9 * Math.abs(best.gain)) continue
      const [yes, no] = [{ treat: sum > 0 }, { treat: total - sum > 0 }]
      best = { gain, tree: { column, below: bounds[place]!, yes, no } }
    }
  }
  return best
}

/** Sums and counts of the scores below the first bound, from there to the second, and so on. */
function sumsBetween(
  x: Matrix,
  scores: Float64Array,
  rows: Uint32Array,
  column: number,
  bounds: readonly number[],
) {
  const sums = new Float64Array(bounds.length + 1)
  const counts = new Float64Array(bounds.length + 1)
  for (const row of rows) {
    const value = x.data[row * x.columns + column]!
    let low = 0
    let high = bounds.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (value >= bounds[middle]!) low = middle + 1
      else high = middle
    }
    sums[low]! += scores[row]!
    counts[low]! += 1
  }
  return { sums, counts }
}

/** Whether the tree treats a row of covariates. */
export function treats(tree: PolicyTree, covariates: ArrayLike<number>): boolean {
  if ('treat' in tree) return tree.treat
  return treats(covariates[tree.column]! < tree.below ? tree.yes : tree.no, covariates)
}

/** The tree of all rows, with its value by trees of four fifths of the rows asked about the last fifth, ± 1.96 standard errors. */
export function policyOf(
  x: Matrix,
  treated: Float64Array,
  scores: Float64Array,
  random: Random,
): PolicyValue {
  const followed = new Float64Array(x.rows)
  const division = stratifiedFolds(treated, folds, random)
  for (let fold = 0; fold < folds; fold++) {
    const { inside, outside } = splitByFold(division, fold)
    const tree = growPolicyTree(rowsOf(x, outside), pick(scores, outside))
    for (const row of inside) {
      const covariates = x.data.subarray(row * x.columns, (row + 1) * x.columns)
      followed[row] = treats(tree, covariates) ? scores[row]! : 0
    }
  }
  const valueOfAll = meanOf(scores)
  const rival = valueOfAll > 0 ? scores : new Float64Array(x.rows)
  const gain = limits(followed.map((value, row) => value - rival[row]!))
  return { tree: growPolicyTree(x, scores), ...limits(followed), valueOfAll, gain }
}

function limits(values: Float64Array) {
  const value = meanOf(values)
  const half = 1.96 * Math.sqrt(varianceOf(values) / Math.max(1, values.length))
  return { value, low: value - half, high: value + half }
}

/** In words; `names` are those of the columns. Example: "if load < 0.5: treat; else: leave". */
export function describePolicy(tree: PolicyTree, names: readonly string[]): string {
  if ('treat' in tree) return tree.treat ? 'treat' : 'leave'
  const side = (one: PolicyTree) =>
    'treat' in one ? describePolicy(one, names) : `(${describePolicy(one, names)})`
  const name = names[tree.column] ?? `covariate ${tree.column + 1}`
  return `if ${name} < ${Number(tree.below.toPrecision(4))}: ${side(tree.yes)}; else: ${side(tree.no)}`
}
