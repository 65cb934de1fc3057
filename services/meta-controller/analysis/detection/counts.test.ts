import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gammaVariate, poissonVariate, seededRandom } from '../../../platform/statistics/random.ts'
import { lnGamma } from '../../../platform/statistics/special-functions.ts'
import { type Count, countTail, dispersedTail, dispersionsOf, totalOf } from './counts.ts'

/** Mid-p upper tail of the negative binomial by its sum. */
function summed(now: Count, before: Count): number {
  const shape = before.events + 0.5
  const share = now.exposure / (now.exposure + before.exposure)
  let below = 0
  for (let k = 0; k <= now.events; k++) {
    const log = lnGamma(k + shape) - lnGamma(shape) - lnGamma(k + 1)
    const probability = Math.exp(log + k * Math.log(share) + shape * Math.log1p(-share))
    below += k === now.events ? probability / 2 : probability
  }
  return 1 - below
}

test('the tail is that of the negative binomial, mid-p', () => {
  for (const [events, exposure, before, since] of [
    [10, 1000, 10, 10_000],
    [0, 50, 3, 500],
    [1, 1, 0, 30],
    [40, 100, 300, 1000],
  ] as const) {
    const now = { events, exposure }
    const past = { events: before, exposure: since }
    const { upper, lower } = countTail(now, past)
    assert.ok(Math.abs(upper - summed(now, past)) < 1e-9)
    assert.ok(Math.abs(upper + lower - 1) < 1e-12)
  }
  const { expected, upper } = countTail({ events: 10, exposure: 1000 }, { events: 10, exposure: 10_000 })
  assert.equal(expected, 1)
  assert.ok(Math.abs(upper - 1.3e-6) < 1e-7)
})

test('nothing to compare with gives 1', () => {
  const some = { events: 5, exposure: 10 }
  const nothing = { expected: 0, upper: 1, lower: 1 }
  for (const odd of [
    { events: 0, exposure: 0 },
    { events: Number.NaN, exposure: 5 },
    { events: 1, exposure: Number.POSITIVE_INFINITY },
    { events: -1, exposure: 5 },
  ]) {
    assert.deepEqual(countTail(odd, some), nothing)
    assert.deepEqual(countTail(some, odd), nothing)
  }
  assert.deepEqual(totalOf([some, { events: Number.NaN, exposure: 5 }, some]), { events: 10, exposure: 20 })
})

test('tails from few events are as rare as they say, at any traffic', () => {
  const random = seededRandom(21)
  for (const rate of [0.05, 0.5, 5, 50]) {
    let rare = 0
    const trials = 6000
    for (let trial = 0; trial < trials; trial++) {
      const before = { events: poissonVariate(random, 20 * rate), exposure: 20 }
      const now = { events: poissonVariate(random, 4 * rate), exposure: 4 }
      if (countTail(now, before).upper <= 0.01) rare++
    }
    assert.ok(rare <= 0.014 * trials, `${rare} of ${trials} at rate ${rate}`)
  }
})

const countsOf = (length: number, next: () => number): Count[] =>
  Array.from({ length }, () => ({ events: next(), exposure: 1 }))

test('independent events have ratio 1, bursts more, longer bursts over longer blocks', () => {
  const random = seededRandom(22)
  assert.deepEqual(dispersionsOf(countsOf(100, () => 7)), [{ ratio: 1, freedom: Number.POSITIVE_INFINITY }])
  assert.deepEqual(dispersionsOf([]), [{ ratio: 1, freedom: Number.POSITIVE_INFINITY }])
  let level = 1
  let slot = 0
  const bursts = countsOf(128, () => {
    if (slot++ % 5 === 0) level = gammaVariate(random, 1, 1)
    return poissonVariate(random, 4 * level)
  })
  const found = dispersionsOf(bursts)
  assert.ok(found.length >= 3)
  assert.ok(found[2]!.ratio > found[0]!.ratio && found[0]!.ratio > 2)
})

test('a dispersed tail is never below the plain one', () => {
  const now = { events: 30, exposure: 10 }
  const before = { events: 100, exposure: 100 }
  const plain = countTail(now, before).upper
  const wide = dispersedTail(now, before, [
    { ratio: 1, freedom: Number.POSITIVE_INFINITY },
    { ratio: 2, freedom: 6 },
  ])
  assert.ok(wide.upper > 100 * plain && wide.upper < 0.05)
  assert.equal(dispersedTail(now, before, dispersionsOf([])).upper, plain)
})
