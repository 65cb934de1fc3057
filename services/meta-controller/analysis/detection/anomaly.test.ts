import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  gammaVariate,
  normalVariate,
  poissonVariate,
  seededRandom,
} from '../../../platform/statistics/random.ts'
import { judgeCounts, judgeLevels, scoreOf } from './anomaly.ts'

const slots = (length: number, events: number, exposure = 100) =>
  Array.from({ length }, () => ({ events, exposure }))

test('counts: five times the errors in one slot', () => {
  const { pValue, score, value, reference } = judgeCounts(slots(20, 2), slots(1, 10), 'up')
  assert.ok(Math.abs(pValue - 6e-5) < 1e-5)
  assert.equal(score, -Math.log10(pValue))
  assert.deepEqual([value, reference], [0.1, 0.02])
  assert.ok(judgeCounts(slots(20, 2), slots(1, 10), 'down').pValue > 0.99)
  assert.ok(judgeCounts(slots(20, 50, 1), slots(5, 20, 1)).pValue < 1e-10)
})

test('counts: nothing on either side, or no number, gives 1', () => {
  for (const [baseline, recent] of [
    [[], []],
    [[], slots(3, 5)],
    [slots(3, 5), []],
    [slots(20, 0, 0), slots(5, 0, 0)],
    [slots(20, Number.NaN), slots(5, 3)],
    [slots(20, 3), slots(5, Number.POSITIVE_INFINITY)],
  ] as const)
    assert.equal(judgeCounts(baseline, recent).pValue, 1)
  assert.equal(judgeCounts(slots(20, 0), slots(5, 0), 'up').score, 0)
})

test('counts: unchanged errors are called changed as rarely as the p-value says, in bursts too', () => {
  const random = seededRandom(31)
  const trials = 3000
  for (const burst of [0, 1, 5]) {
    let rare = 0
    for (let trial = 0; trial < trials; trial++) {
      let level = 1
      let slot = 0
      const next = () => {
        if (burst > 0 && slot++ % burst === 0) level = gammaVariate(random, 1, 1)
        return { events: poissonVariate(random, 2 * level), exposure: 100 }
      }
      const baseline = Array.from({ length: 120 }, next)
      const recent = Array.from({ length: 20 }, next)
      if (judgeCounts(baseline, recent, 'up').pValue <= 0.01) rare++
    }
    assert.ok(rare <= 0.025 * trials, `${rare} of ${trials} with bursts of ${burst}`)
  }
})

const baseline = [5, 1, 4, 2, 3, 5, 1, 4, 2, 3, 5, 1, 4, 2, 3, 5, 1, 4, 2, 3]

test('levels: three values above all of twenty', () => {
  const { pValue, value, reference } = judgeLevels(baseline, [30, 31, 32])
  assert.ok(Math.abs(pValue - 0.006) < 0.001)
  assert.deepEqual([value, reference], [31, 3])
  assert.ok(judgeLevels(baseline, [30, 31, 32], 'down').pValue > 0.99)
  assert.ok(judgeLevels(baseline, [3, 2, 4]).pValue > 0.5)
})

test('levels: what so few ranks can show at all is the least p-value', () => {
  const long = Array.from({ length: 200 }, (_, index) => (index * 7919) % 200)
  assert.ok(judgeLevels(long, [1e9], 'up').pValue >= 1 / 201 - 1e-9)
})

test('levels: constants, few values, none and no numbers give 1', () => {
  const constant = new Array<number>(20).fill(4)
  assert.equal(judgeLevels(constant, [4, 4, 4]).pValue, 1)
  assert.equal(judgeLevels([1, 2, 3], [50]).pValue, 1)
  assert.equal(judgeLevels([], []).pValue, 1)
  assert.equal(judgeLevels(baseline, [Number.NaN, Number.POSITIVE_INFINITY]).pValue, 1)
  assert.equal(
    judgeLevels(baseline, [Number.NaN, 30, 31, 32]).pValue,
    judgeLevels(baseline, [30, 31, 32]).pValue,
  )
})

test('levels: an unchanged series, each value like the one before, is called changed as rarely as the p-value says', () => {
  const random = seededRandom(32)
  const trials = 2000
  for (const likeness of [0, 0.5, 0.9]) {
    let rare = 0
    for (let trial = 0; trial < trials; trial++) {
      let at = normalVariate(random) / Math.sqrt(1 - likeness ** 2)
      const next = () => {
        at = likeness * at + normalVariate(random)
        return at
      }
      if (judgeLevels(Array.from({ length: 60 }, next), Array.from({ length: 20 }, next)).pValue <= 0.01)
        rare++
    }
    assert.ok(rare <= 0.03 * trials, `${rare} of ${trials} at likeness ${likeness}`)
  }
})

test('a score is -log10 p, and finite for 0', () => {
  assert.equal(scoreOf(1), 0)
  assert.ok(Math.abs(scoreOf(0.001) - 3) < 1e-12)
  assert.ok(Number.isFinite(scoreOf(0)))
})
