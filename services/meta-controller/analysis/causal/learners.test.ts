import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { boosting } from './boosting.ts'
import { exponential } from './exponential.ts'
import { kernelRidge } from './kernel.ts'
import { constantModel, type Learner, scaled, scalingOf } from './learner.ts'
import { fitPropensity } from './logistic.ts'
import { emptyMatrix, matrixOf } from './matrix.ts'
import { ridge } from './ridge.ts'
import { convexWeights } from './stacking.ts'

const all = [ridge, exponential, boosting, kernelRidge]

function rows(count: number, columns: number, seed: number) {
  const random = seededRandom(seed)
  return matrixOf(
    Array.from({ length: count }, () => Array.from({ length: columns }, () => normalVariate(random))),
  )
}

/** Root mean square distance of the model from the truth on rows it has not seen, as a share of the truth's deviation. */
function errorOf(learner: Learner, truth: (x: Float64Array) => number, columns: number): number {
  const apply = (x: ReturnType<typeof rows>) =>
    Float64Array.from({ length: x.rows }, (_, row) =>
      truth(x.data.subarray(row * columns, (row + 1) * columns)),
    )
  const [learnt, asked] = [rows(400, columns, 1), rows(200, columns, 2)]
  const predicted = learner.fit(learnt, apply(learnt), seededRandom(3))(asked)
  const expected = apply(asked)
  const mean = expected.reduce((sum, value) => sum + value, 0) / expected.length
  const squares = expected.reduce((sum, value, row) => sum + (value - predicted[row]!) ** 2, 0)
  const total = expected.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(squares / total)
}

test('ridge learns a line to within a thousandth', () => {
  assert.ok(errorOf(ridge, (x) => 2 * x[0]!, 2) < 1e-3)
})

test('the exponential link learns what multiplies', () => {
  assert.ok(errorOf(exponential, (x) => Math.exp(1 + 0.5 * x[0]!), 2) < 0.01)
})

test('boosted trees learn an interaction that no sum of single covariates gives', () => {
  const both = (x: Float64Array) => (x[0]! > 0 && x[1]! > 0 ? 1 : 0)
  assert.ok(errorOf(boosting, both, 2) < 0.3)
  assert.ok(errorOf(ridge, both, 2) > 0.5)
})

test('kernel ridge learns a wave', () => {
  assert.ok(errorOf(kernelRidge, (x) => Math.sin(3 * x[0]!), 1) < 0.1)
})

test('a covariate far from all that was learnt gives finite predictions', () => {
  const x = rows(100, 2, 4)
  const y = Float64Array.from({ length: 100 }, (_, row) => Math.exp(x.data[row * 2]!))
  const far = matrixOf([
    [1e9, -1e9],
    [-1e9, 1e9],
  ])
  for (const learner of all)
    assert.ok(learner.fit(x, y, seededRandom(1))(far).every(Number.isFinite), learner.name)
})

test('with nothing to learn from, a learner gives the mean', () => {
  const cases = [
    { name: 'no rows', x: emptyMatrix(0, 2), y: new Float64Array(0), mean: 0 },
    { name: 'one row', x: matrixOf([[1, 2]]), y: Float64Array.of(7), mean: 7 },
    { name: 'no columns', x: emptyMatrix(30, 0), y: new Float64Array(30).fill(3), mean: 3 },
    {
      name: 'constant columns',
      x: emptyMatrix(30, 2),
      y: Float64Array.from({ length: 30 }, (_, i) => i % 2),
      mean: 0.5,
    },
    { name: 'constant outcome', x: rows(30, 2, 5), y: new Float64Array(30).fill(-4), mean: -4 },
  ]
  for (const learner of all)
    for (const { name, x, y, mean } of cases) {
      const predicted = learner.fit(x, y, seededRandom(1))(emptyMatrix(2, x.columns))
      for (const value of predicted)
        assert.ok(Math.abs(value - mean) < 1e-6, `${learner.name}, ${name}: ${value}`)
    }
})

test('scaling puts columns at mean 0 and deviation 1, and constant ones at 0', () => {
  const x = matrixOf([
    [1, 5],
    [3, 5],
  ])
  assert.deepEqual([...scaled(x, scalingOf(x)).data], [-1, 0, 1, 0])
  assert.deepEqual([...constantModel(2)(x)], [2, 2])
})

test('two predictors that miss to both sides are averaged', () => {
  const weights = convexWeights([Float64Array.of(0, 0), Float64Array.of(2, 2)], Float64Array.of(1, 1))
  assert.ok(Math.abs(weights[0]! - 0.5) < 1e-9)
})

test('convex weights sum to 1, are not negative and are never worse than the best alone', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = seededRandom(seed)
    const y = Float64Array.from({ length: 40 }, () => normalVariate(random))
    const predictions = Array.from({ length: 4 }, () => {
      const [share, noise] = [random(), random()]
      return y.map((value) => share * value + noise * normalVariate(random))
    })
    const weights = convexWeights(predictions, y)
    const errorWith = (used: ArrayLike<number>) =>
      y.reduce(
        (sum, value, row) =>
          sum + (value - predictions.reduce((total, one, index) => total + used[index]! * one[row]!, 0)) ** 2,
        0,
      )
    assert.ok(Math.abs(weights.reduce((sum, value) => sum + value, 0) - 1) < 1e-9)
    assert.ok(weights.every((value) => value >= 0))
    const alone = predictions.map((_, index) =>
      errorWith(predictions.map((__, other) => Number(other === index))),
    )
    assert.ok(errorWith(weights) <= Math.min(...alone) * (1 + 1e-6), `seed ${seed}`)
  }
})

test('a logistic propensity finds the log-odds that treatments were drawn with', () => {
  const x = rows(4000, 2, 8)
  const random = seededRandom(9)
  const truth = (row: number) => 1 / (1 + Math.exp(-(x.data[row * 2]! - 0.5)))
  const treated = Float64Array.from({ length: 4000 }, (_, row) => Number(random() < truth(row)))
  const model = fitPropensity(x, treated)(x)
  const largest = model.reduce((most, value, row) => Math.max(most, Math.abs(value - truth(row))), 0)
  assert.ok(largest < 0.06, `${largest}`)
})

test('arms that a covariate separates, or that are alike, give finite probabilities', () => {
  const x = rows(60, 1, 10)
  const separated = Float64Array.from({ length: 60 }, (_, row) => Number(x.data[row]! > 0))
  for (const value of fitPropensity(x, separated)(x)) assert.ok(value >= 0 && value <= 1)
  assert.deepEqual([...fitPropensity(x, new Float64Array(60).fill(1))(matrixOf([[0]]))], [1])
})
