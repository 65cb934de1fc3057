import type { Random } from '../../../platform/statistics/random.ts'
import { splitByFold, stratifiedFolds } from './folds.ts'
import type { Learner } from './learner.ts'
import { choleskyOf, pick, rowsOf, solveCholesky } from './matrix.ts'

const innerFolds = 5

/**
 * A convex combination of learners whose weights have the least cross-validated squared error (van der Laan, Polley and
 * Hubbard 2007): it does as well as the best of them in large samples, without one having to be chosen.
 */
export function superLearner(learners: readonly Learner[]): Learner {
  const name = `super learner of ${learners.map((one) => one.name).join(', ')}`
  return {
    name,
    fit(x, y, random) {
      const tuned = learners.map((learner) => learner.tuned?.(x, y, random) ?? learner)
      const weights = crossValidatedWeights(tuned, { x, y }, random)
      const used = tuned.flatMap((learner, index) => {
        const weight = weights[index]!
        return weight > 0 ? [{ weight, model: learner.fit(x, y, random) }] : []
      })
      return (other) => {
        const result = new Float64Array(other.rows)
        for (const { weight, model } of used) {
          const predicted = model(other)
          for (let row = 0; row < other.rows; row++) result[row]! += weight * predicted[row]!
        }
        return result
      }
    },
  }
}

type Sample = { x: Parameters<Learner['fit']>[0]; y: Float64Array }

/** One weight a learner, from predictions of rows that it did not learn from. */
export function crossValidatedWeights(
  learners: readonly Learner[],
  { x, y }: Sample,
  random: Random,
): Float64Array {
  if (learners.length === 1) return Float64Array.of(1)
  const folds = stratifiedFolds(new Uint8Array(x.rows), Math.min(innerFolds, x.rows), random)
  const predictions = learners.map(() => new Float64Array(x.rows))
  for (let fold = 0; fold < innerFolds; fold++) {
    const { inside, outside } = splitByFold(folds, fold)
    if (inside.length === 0 || outside.length === 0) continue
    const learnt = rowsOf(x, outside)
    const outcomes = pick(y, outside)
    const asked = rowsOf(x, inside)
    learners.forEach((learner, index) => {
      const predicted = learner.fit(learnt, outcomes, random)(asked)
      for (let place = 0; place < inside.length; place++)
        predictions[index]![inside[place]!] = predicted[place]!
    })
  }
  return convexWeights(predictions, y)
}

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
