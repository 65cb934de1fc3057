import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../platform/statistics/random.ts'
import { compareRuns, quantile } from './compare.ts'

function runs(count: number, samples: number, valueAt: (run: number) => number): number[][] {
  return Array.from({ length: count }, (_, run) => Array.from({ length: samples }, () => valueAt(run)))
}

test('a halved time is a halved time, with an interval around it', () => {
  const random = seededRandom('halved')
  const noisy = (mean: number) => () => mean * (0.9 + 0.2 * random())
  const compared = compareRuns('Recommend', runs(3, 80, noisy(10)), runs(3, 80, noisy(5)), random)
  assert.ok(compared.relativeLow < -0.48 && compared.relativeHigh > -0.52)
  assert.ok(compared.relativeHigh < -0.4 && compared.relativeLow > -0.6)
  assert.equal(compared.samplesBefore, 240)
})

test('equal code on a machine that slows one run down has an interval that holds zero', () => {
  const random = seededRandom('noisy')
  const before = runs(3, 50, (run) => (run === 2 ? 15 : 10) * (0.95 + 0.1 * random()))
  const after = runs(3, 50, () => 11 * (0.95 + 0.1 * random()))
  const compared = compareRuns('CheckStock', before, after, random)
  assert.ok(compared.relativeLow < 0 && compared.relativeHigh > 0)
})

test('the same seed gives the same comparison', () => {
  const once = () => compareRuns('a', [[1, 2, 3]], [[1, 2, 4]], seededRandom('seed'))
  assert.deepEqual(once(), once())
})

test('the interval of equal sides holds zero about as often as it says', () => {
  let held = 0
  const rounds = 200
  const random = seededRandom('coverage')
  for (let round = 0; round < rounds; round++) {
    const side = () => runs(4, 40, () => 5 + random())
    const { relativeLow, relativeHigh } = compareRuns('a', side(), side(), random)
    if (relativeLow <= 0 && relativeHigh >= 0) held += 1
  }
  assert.ok(held >= 0.85 * rounds, `${held} of ${rounds}`)
})

test('a quantile is the smallest value that enough samples do not exceed; of nothing it is 0', () => {
  assert.equal(quantile([1, 2, 3, 4], 0.5), 2)
  assert.equal(quantile([1, 2, 3, 4], 0.99), 4)
  assert.equal(quantile([], 0.5), 0)
})
