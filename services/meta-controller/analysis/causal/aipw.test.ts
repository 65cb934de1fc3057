import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meanOf, varianceOf } from '../../../platform/statistics/order.ts'
import { normalVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { averaged, clipAt, crossFit, meanScores, scoresOf, weighing } from './aipw.ts'
import { exponential } from './exponential.ts'
import { imbalanceVariance } from './imbalance.ts'
import { intervalAround, standardErrorOfMean } from './interval.ts'
import { constantModel, type Learner } from './learner.ts'
import { emptyMatrix, matrixOf } from './matrix.ts'
import { overlapOf, overlapProblem, trimmedRows } from './overlap.ts'
import { ridge } from './ridge.ts'
import type { Sample } from './sample.ts'

const half = (rows: number) => new Float64Array(rows).fill(0.5)

test('a treated row of outcome 3, with nothing known of it and even odds, has score 6', () => {
  const sample = { x: emptyMatrix(1, 0), treated: Float64Array.of(1), y: Float64Array.of(3) }
  const none = new Float64Array(1)
  assert.deepEqual([...scoresOf(sample, { propensity: half(1), untreated: none, treated: none }).scores], [6])
})

/** y = 2t + 3x + noise, t more often where x is great. */
function confounded(seed: number, rows = 400): Sample {
  const random = seededRandom(seed)
  const x = Float64Array.from({ length: rows }, () => normalVariate(random))
  const treated = x.map((value) => Number(random() < 1 / (1 + Math.exp(-value))))
  const y = x.map((value, row) => 2 * treated[row]! + 3 * value + normalVariate(random))
  return { x: matrixOf(Array.from(x, (value) => [value])), treated, y }
}

const knowsNothing: Learner = { name: 'the mean', fit: (_, y) => constantModel(meanOf(y)) }

test('the estimate is right if only the outcome model is, or only the propensity', () => {
  const estimates = (outcome: Learner, isPropensityKnown: boolean) =>
    Array.from({ length: 30 }, (_, index) => {
      const sample = confounded(index + 1)
      const propensity = isPropensityKnown
        ? Float64Array.from(sample.x.data, (value) => 1 / (1 + Math.exp(-value)))
        : half(400)
      const random = seededRandom(index)
      const nuisances = crossFit({ ...sample, propensity }, { folds: 5, learners: [outcome], random })
      return scoresOf(sample, nuisances).estimate
    })
  const bias = (values: number[]) => Math.abs(meanOf(values) - 2)
  assert.ok(bias(estimates(ridge, false)) < 0.1)
  const byPropensity = estimates(knowsNothing, true)
  assert.ok(bias(byPropensity) < 3 * Math.sqrt(varianceOf(byPropensity) / 30))
  assert.ok(bias(estimates(knowsNothing, false)) > 1, 'with both wrong there is nothing to save it')
})

test('predictions of a row do not depend on its own outcome', () => {
  const sample = confounded(1, 100)
  const options = { folds: 5, learners: [ridge] }
  const before = crossFit(sample, { ...options, random: seededRandom(1) })
  const changed = { ...sample, y: sample.y.map((value, row) => (row === 17 ? 1e6 : value)) }
  const after = crossFit(changed, { ...options, random: seededRandom(1) })
  assert.equal(after.treated[17], before.treated[17])
  assert.equal(after.untreated[17], before.untreated[17])
  assert.ok(after.untreated.some((value, row) => value !== before.untreated[row]))
})

test('of several learners, the one that is right gets the weight', () => {
  const random = seededRandom(7)
  const sample = confounded(3)
  const y = Float64Array.from(sample.x.data, (value) => Math.exp(value) + 0.1 * normalVariate(random))
  const predicted = (learners: readonly Learner[]) =>
    crossFit({ ...sample, y }, { folds: 5, learners, random: seededRandom(1) }).treated
  const error = (values: Float64Array) =>
    meanOf(values.map((value, row) => (value - Math.exp(sample.x.data[row]!)) ** 2))
  assert.ok(error(predicted([ridge, exponential])) < 1.1 * error(predicted([exponential])))
  assert.ok(error(predicted([ridge])) > 10 * error(predicted([ridge, exponential])))
})

test('several divisions into folds are averaged', () => {
  const one = { propensity: Float64Array.of(0.2), untreated: Float64Array.of(1), treated: Float64Array.of(3) }
  const other = {
    propensity: Float64Array.of(0.4),
    untreated: Float64Array.of(2),
    treated: Float64Array.of(5),
  }
  const mean = averaged([one, other])
  assert.ok(Math.abs(mean.propensity[0]! - 0.3) < 1e-12)
  assert.deepEqual([mean.untreated[0], mean.treated[0]], [1.5, 4])
  const scores = (value: number) => ({
    scores: Float64Array.of(value),
    modelled: Float64Array.of(value),
    estimate: value,
  })
  assert.deepEqual(meanScores([scores(1), scores(3)]), scores(2))
})

test('estimated probabilities are kept from 0 and 1 before they weigh, known ones are taken as they are', () => {
  const sample = { x: emptyMatrix(1, 0), treated: half(1), y: half(1) }
  const weighed = (one: Sample) => [0.01, 0.3, 1].map((value) => weighing(one, value))
  assert.deepEqual(weighed(sample), [clipAt, 0.3, 1 - clipAt])
  assert.deepEqual(weighed({ ...sample, propensity: half(1) }), [0.01, 0.3, 1])
})

test("intervals are as wide as Student's quantiles of the tables, also with few degrees of freedom", () => {
  for (const [freedom, quantile] of [
    [1, 12.706],
    [2, 4.303],
    [10, 2.228],
    [30, 2.042],
  ] as const) {
    const { low, high } = intervalAround(0, 1, freedom)
    assert.ok(Math.abs(high - quantile) < 1e-3 && low === -high, String(freedom))
  }
  const { low, high } = intervalAround(1, 0.5, 1e9)
  assert.ok(Math.abs(low - 0.02) < 1e-3 && Math.abs(high - 1.98) < 1e-3)
})

test('rows that follow each other closely are worth less than as many independent ones', () => {
  const random = seededRandom(2)
  const values = new Float64Array(2000)
  for (let row = 1; row < values.length; row++) values[row] = 0.8 * values[row - 1]! + normalVariate(random)
  const independent = standardErrorOfMean(values, { kind: 'independent' }).se
  const lagged = standardErrorOfMean(values, { kind: 'newey-west', lags: 20 }).se
  const blocks = standardErrorOfMean(values, {
    kind: 'blocks',
    blocks: values.map((_, row) => Math.floor(row / 40)),
  })
  // The mean of a first-order autoregression of 0.8 has 3 times the error that independence gives.
  assert.ok(lagged / independent > 2.2 && lagged / independent < 3.6, `${lagged / independent}`)
  assert.ok(blocks.se / independent > 2 && blocks.se / independent < 4, `${blocks.se / independent}`)
  assert.equal(blocks.freedom, 49)
  assert.equal(
    standardErrorOfMean(values, { kind: 'blocks', blocks: half(2000) }).se,
    Number.POSITIVE_INFINITY,
  )
})

test('a hundred rows at even odds are worth a hundred rows', () => {
  const treated = Float64Array.from({ length: 100 }, (_, row) => row % 2)
  const overlap = overlapOf({ x: emptyMatrix(100, 0), treated, y: treated }, half(100))
  assert.ok(Math.abs(overlap.effectiveRows - 100) < 1e-9)
  assert.ok(Math.abs(overlap.effectiveTreated - 50) < 1e-9)
  assert.equal(overlapProblem(overlap), undefined)
})

test('many untreated rows do not make up for few treated ones, rows sure of their arm are no comparison', () => {
  const overlap = (treated: Float64Array, propensity: Float64Array) =>
    overlapOf({ x: emptyMatrix(1000, 0), treated, y: treated }, propensity)
  const rows = new Float64Array(1000)
  const few = overlap(
    rows.map((_, row) => Number(row < 10)),
    rows.fill(0.03),
  )
  assert.match(overlapProblem(few) ?? '', /worth only/)
  const sure = overlap(
    rows.map((_, row) => row % 2),
    rows.map((_, row) => (row < 100 ? 0.999 : 0.5)),
  )
  assert.match(overlapProblem(sure) ?? '', /10.0 % of the rows/)
  assert.deepEqual(trimmedRows(Float64Array.of(0.05, 0.1, 0.5, 0.95)), [1, 2])
})

test("arms that are alike leave nothing to the models' error, arms that differ do", () => {
  const rows = 200
  const random = seededRandom(5)
  const noise = Float64Array.from({ length: rows }, () => normalVariate(random))
  const none = new Float64Array(rows)
  const varianceWith = (x: (row: number) => number) => {
    const sample = {
      x: matrixOf(Array.from({ length: rows }, (_, row) => [x(row)])),
      treated: none.map((_, row) => row % 2),
      y: noise,
    }
    return imbalanceVariance(sample, { propensity: half(rows), untreated: none, treated: none })
  }
  assert.ok(varianceWith((row) => Math.floor(row / 2)) < 1e-9)
  assert.ok(varianceWith((row) => (row % 2) + noise[row]!) > 0.002)
})
