import { choleskyOf, solveCholesky } from './matrix.ts'

/**
 * The weights, none negative and together 1, of the least squared distance of the combined predictions from `y`. Exact: each
 * set of learners is solved with its weights summing to 1, and the best solution without a negative weight wins.
 * Example: of predictions [0, 0] and [2, 2], y = [1, 1] is met by weights 0.5 and 0.5.
 */
export function convexWeights(predictions: readonly Float64Array[], y: Float64Array): Float64Array {
  const size = predictions.length
  const errors = predictions.map((one) => one.map((value, row) => value - y[row]!))
  const products = errors.map((a) =>
    errors.map((b) => a.reduce((sum, value, row) => sum + value * b[row]!, 0)),
  )
  let best = new Float64Array(size).fill(1 / size)
  let least = Number.POSITIVE_INFINITY
  for (let set = 1; set < 1 << size; set++) {
    const members = Array.from({ length: size }, (_, index) => index).filter((index) => (set >> index) & 1)
    const solved = solveOnSimplex(members, products)
    if (solved === undefined || solved.error >= least) continue
    least = solved.error
    best = new Float64Array(size)
    for (let place = 0; place < members.length; place++) best[members[place]!] = solved.weights[place]!
  }
  return best
}

/** Minimises w'Pw with Σw = 1, which is P⁻¹1 scaled to sum 1; nothing where a weight would be negative. */
function solveOnSimplex(members: readonly number[], products: readonly (readonly number[])[]) {
  const size = members.length
  const matrix = members.flatMap((i) => members.map((j) => products[i]![j]!))
  for (let i = 0; i < size; i++) matrix[i * size + i]! += 1e-9 * (1e-300 + matrix[i * size + i]!)
  const solution = solveCholesky(choleskyOf(matrix, size), new Float64Array(size).fill(1))
  const sum = solution.reduce((total, value) => total + value, 0)
  const weights = solution.map((value) => value / sum)
  if (!weights.every((value) => value >= 0)) return undefined
  let error = 0
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) error += weights[i]! * weights[j]! * matrix[i * size + j]!
  return { weights, error }
}
