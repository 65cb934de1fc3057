import { meanOf } from '../../../platform/statistics/order.ts'
import { constantModel, type Learner } from './learner.ts'
import type { Matrix } from './matrix.ts'

const maxBins = 32
const trees = 150
const rate = 0.1
const leastInLeaf = 5

/**
 * Gradient boosting of trees of depth 2 for squared error (Friedman 2001): 150 trees, rate 0.1, splits between at most 32
 * quantile bins a covariate. Example: y = (x1 > 0) · (x2 > 0), which no sum of single covariates gives, is learnt.
 */
export const boosting: Learner = {
  name: 'boosted trees',
  fit(x, y) {
    const mean = meanOf(y)
    if (x.rows < 4 * leastInLeaf || x.columns === 0) return constantModel(mean)
    const edges = binEdges(x)
    const bins = binned(x, edges)
    const residuals = y.map((value) => value - mean)
    const forest: Tree[] = []
    for (let index = 0; index < trees; index++) {
      const tree = growTree(bins, residuals, x.rows)
      if (tree === undefined) break
      forest.push(tree)
      for (let row = 0; row < x.rows; row++) residuals[row]! -= rate * valueAt(tree, bins, row, x.rows)
    }
    return (other) => predicted(forest, binned(other, edges), other.rows, mean)
  },
}

interface Split {
  readonly column: number
  /** Bins up to this one go left. */
  readonly bin: number
}

interface Tree {
  readonly root: Split
  readonly left: Split | undefined
  readonly right: Split | undefined
  /** Of left-left, left-right, right-left, right-right; an undivided side has its value twice. */
  readonly leaves: readonly [number, number, number, number]
}

/** Upper bounds of the bins of each column; the last bin has none. */
function binEdges(x: Matrix): Float64Array[] {
  return Array.from({ length: x.columns }, (_, column) => {
    const values = new Float64Array(x.rows)
    for (let row = 0; row < x.rows; row++) values[row] = x.data[row * x.columns + column]!
    values.sort()
    const edges: number[] = []
    const distinct: number[] = []
    for (const value of values) if (value !== distinct.at(-1)) distinct.push(value)
    if (distinct.length <= maxBins)
      for (let i = 1; i < distinct.length; i++) edges.push((distinct[i - 1]! + distinct[i]!) / 2)
    else
      for (let i = 1; i < maxBins; i++) {
        const edge = values[Math.floor((i * values.length) / maxBins)]!
        if (edge !== edges.at(-1) && edge !== values[0]) edges.push(edge)
      }
    return Float64Array.from(edges)
  })
}

/** Bin of each value, column after column. A value at an edge belongs above it. */
function binned(x: Matrix, edges: readonly Float64Array[]): Uint8Array {
  const bins = new Uint8Array(x.rows * x.columns)
  edges.forEach((bounds, column) => {
    for (let row = 0; row < x.rows; row++) {
      const value = x.data[row * x.columns + column]!
      let low = 0
      let high = bounds.length
      while (low < high) {
        const middle = (low + high) >> 1
        if (value >= bounds[middle]!) low = middle + 1
        else high = middle
      }
      bins[column * x.rows + row] = low
    }
  })
  return bins
}

function growTree(bins: Uint8Array, residuals: Float64Array, rows: number): Tree | undefined {
  const all = Uint32Array.from({ length: rows }, (_, row) => row)
  const root = bestSplit(bins, residuals, rows, all)
  if (root === undefined) return undefined
  const goesLeft = (row: number) => bins[root.column * rows + row]! <= root.bin
  const leftRows = all.filter(goesLeft)
  const rightRows = all.filter((row) => !goesLeft(row))
  const left = bestSplit(bins, residuals, rows, leftRows)
  const right = bestSplit(bins, residuals, rows, rightRows)
  const sums = new Float64Array(4)
  const counts = new Float64Array(4)
  const tree = { root, left, right }
  for (let row = 0; row < rows; row++) {
    const leaf = leafOf(tree, bins, row, rows)
    sums[leaf]! += residuals[row]!
    counts[leaf]! += 1
  }
  const mean = (leaf: number) => (counts[leaf]! > 0 ? sums[leaf]! / counts[leaf]! : 0)
  return { ...tree, leaves: [mean(0), mean(1), mean(2), mean(3)] }
}

function leafOf(tree: Omit<Tree, 'leaves'>, bins: Uint8Array, row: number, rows: number): number {
  const { root, left, right } = tree
  const isLeft = bins[root.column * rows + row]! <= root.bin
  const side = isLeft ? left : right
  const inner = side !== undefined && bins[side.column * rows + row]! > side.bin ? 1 : 0
  return (isLeft ? 0 : 2) + inner
}

function valueAt(tree: Tree, bins: Uint8Array, row: number, rows: number): number {
  return tree.leaves[leafOf(tree, bins, row, rows)]!
}

/** The split of the most squared error removed; none where no side would keep the least number of rows. */
function bestSplit(
  bins: Uint8Array,
  residuals: Float64Array,
  rows: number,
  members: Uint32Array,
): Split | undefined {
  let total = 0
  for (const row of members) total += residuals[row]!
  const base = (total * total) / Math.max(1, members.length)
  let best: Split | undefined
  let most = base + 1e-12 * (1 + base)
  const sums = new Float64Array(maxBins)
  const counts = new Float64Array(maxBins)
  for (let column = 0; column < bins.length / rows; column++) {
    sums.fill(0)
    counts.fill(0)
    for (const row of members) {
      const bin = bins[column * rows + row]!
      sums[bin]! += residuals[row]!
      counts[bin]! += 1
    }
    let sum = 0
    let count = 0
    for (let bin = 0; bin < maxBins - 1; bin++) {
      if (counts[bin] === 0) continue
      sum += sums[bin]!
      count += counts[bin]!
      const other = members.length - count
      if (other < leastInLeaf) break
      if (count < leastInLeaf) continue
      const gain = (sum * sum) / count + (total - sum) ** 2 / other
      if (gain <= most) continue
      most = gain
      best = { column, bin }
    }
  }
  return best
}

function predicted(forest: readonly Tree[], bins: Uint8Array, rows: number, mean: number): Float64Array {
  const result = new Float64Array(rows).fill(mean)
  for (const tree of forest)
    for (let row = 0; row < rows; row++) result[row]! += rate * valueAt(tree, bins, row, rows)
  return result
}
