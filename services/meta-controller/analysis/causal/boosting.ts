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
      const tree = growTree(bins, residuals)
      if (tree === undefined) break
      forest.push(tree)
      for (let row = 0; row < x.rows; row++) residuals[row]! -= rate * valueAt(tree, bins.bins, row, x.rows)
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

interface Binned {
  /** Bin of each value, column after column. */
  readonly bins: Uint8Array
  /** Bins of each column. */
  readonly counts: readonly number[]
}

/** A value at an edge belongs above it. */
function binned(x: Matrix, edges: readonly Float64Array[]): Binned {
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
  return { bins, counts: edges.map((bounds) => bounds.length + 1) }
}

function growTree(binned: Binned, residuals: Float64Array): Tree | undefined {
  const rows = residuals.length
  const { bins } = binned
  const all = new Uint32Array(rows)
  for (let row = 0; row < rows; row++) all[row] = row
  const root = bestSplit(binned, residuals, all)
  if (root === undefined) return undefined
  const goesLeft = (row: number) => bins[root.column * rows + row]! <= root.bin
  const leftRows = all.filter(goesLeft)
  const rightRows = all.filter((row) => !goesLeft(row))
  const left = bestSplit(binned, residuals, leftRows)
  const right = bestSplit(binned, residuals, rightRows)
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
  { bins, counts }: Binned,
  residuals: Float64Array,
  members: Uint32Array,
): Split | undefined {
  const rows = residuals.length
  const size = members.length
  let total = 0
  for (let place = 0; place < size; place++) total += residuals[members[place]!]!
  const base = (total * total) / Math.max(1, size)
  let best: Split | undefined
  let most = base + 1e-12 * (1 + base)
  for (let column = 0; column < counts.length; column++) {
    const last = counts[column]! - 1
    if (last < 1) continue
    sums.fill(0, 0, last + 1)
    sizes.fill(0, 0, last + 1)
    const start = column * rows
    for (let place = 0; place < size; place++) {
      const row = members[place]!
      const bin = bins[start + row]!
      sums[bin]! += residuals[row]!
      sizes[bin]! += 1
    }
    let sum = 0
    let count = 0
    for (let bin = 0; bin < last; bin++) {
      if (sizes[bin] === 0) continue
      sum += sums[bin]!
      count += sizes[bin]!
      const other = size - count
      if (other < leastInLeaf) break
      if (count < leastInLeaf) continue
      const gain = (sum * sum) / count + ((total - sum) * (total - sum)) / other
      if (gain <= most) continue
      most = gain
      best = { column, bin }
    }
  }
  return best
}

/** Room for the sums of one covariate's bins, used by one split search at a time. */
const sums = new Float64Array(maxBins)
const sizes = new Float64Array(maxBins)

function predicted(forest: readonly Tree[], { bins }: Binned, rows: number, mean: number): Float64Array {
  const result = new Float64Array(rows).fill(mean)
  for (const tree of forest)
    for (let row = 0; row < rows; row++) result[row]! += rate * valueAt(tree, bins, row, rows)
  return result
}
