import assert from 'node:assert/strict'
import { test } from 'node:test'
import { burnRateOf, type CountSlot, readBurnRate, sumOfNewest, windowPairs } from './burn-rates.ts'

const monthS = 30 * 86_400
const slots = (count: number, slot: Partial<CountSlot>): CountSlot[] =>
  Array.from({ length: count }, () => ({ covered: true, requests: 0, bad: 0, ...slot }))

test('over 30 days the pairs are the reference ones, and each limit spends its share of the budget in its long window', () => {
  const pairs = windowPairs(monthS, 60)
  assert.deepEqual(pairs, [
    { longS: 3_600, shortS: 300, limit: 14.4 },
    { longS: 21_600, shortS: 1_800, limit: 6 },
    { longS: 86_400, shortS: 7_200, limit: 3 },
    { longS: 259_200, shortS: 21_600, limit: 1 },
  ])
  // 14.4 × 1 h of 720 h = 2 %; 6 × 6 h = 5 %; 3 × 24 h = 10 %; 1 × 72 h = 10 %.
  const shares = pairs.map(({ longS, limit }) => Math.round((limit * longS * 1_000) / monthS) / 1_000)
  assert.deepEqual(shares, [0.02, 0.05, 0.1, 0.1])
})

test('over an hour the pairs are 720 times shorter, but no shorter than the telemetry can show', () => {
  assert.deepEqual(
    windowPairs(3_600, 1).map(({ longS, shortS }) => [longS, shortS]),
    [
      [5, 1],
      [30, 2.5],
      [120, 10],
      [360, 30],
    ],
  )
  assert.deepEqual(
    windowPairs(3_600, 5).map(({ longS, shortS }) => [longS, shortS]),
    [
      [10, 5],
      [30, 5],
      [120, 10],
      [360, 30],
    ],
  )
})

test('a burn rate is the share of bad requests over the share that is allowed', () => {
  // 5 of 100 bad where 1 of 100 is allowed.
  assert.ok(Math.abs(burnRateOf({ requests: 100, bad: 5 }, 0.99) - 5) < 1e-9)
  assert.ok(Math.abs(burnRateOf({ requests: 1_000, bad: 1 }, 0.999) - 1) < 1e-9)
  assert.equal(burnRateOf({ requests: 0, bad: 0 }, 0.99), 0)
})

const pair = { longS: 60, shortS: 5, limit: 6 }
const options = { slotS: 1, target: 0.99 }

test('a pair burns when both windows exceed the limit', () => {
  // 100 requests a second, 7 bad: 7 % of 1 % is a rate of 7 in both windows.
  const reading = readBurnRate(pair, slots(60, { requests: 100, bad: 7 }), options)
  assert.ok(Math.abs(reading.longRate - 7) < 1e-9 && Math.abs(reading.shortRate - 7) < 1e-9)
  assert.deepEqual([reading.covered, reading.burning], [true, true])
})

test('a burn that has ended does not burn: the short window says so', () => {
  const seen = [...slots(50, { requests: 100, bad: 10 }), ...slots(10, { requests: 100 })]
  const reading = readBurnRate(pair, seen, options)
  // 50 × 10 bad of 6000 requests: 8.33 % of 1 %.
  assert.ok(Math.abs(reading.longRate - 8.333) < 0.001)
  assert.equal(reading.shortRate, 0)
  assert.equal(reading.burning, false)
})

test('a burn that has just begun does not burn yet: the long window says so', () => {
  const seen = [...slots(55, { requests: 100 }), ...slots(5, { requests: 100, bad: 50 })]
  const reading = readBurnRate(pair, seen, options)
  // 250 of 6000: a rate of 4.17 in the long window, 50 in the short one.
  assert.ok(Math.abs(reading.longRate - 4.1667) < 0.001)
  assert.equal(reading.burning, false)
})

test('windows that telemetry does not cover are not covered and never burn', () => {
  const bad = { requests: 100, bad: 100 }
  assert.equal(readBurnRate(pair, slots(30, bad), options).covered, false)
  const gaps = [...slots(30, { ...bad, covered: false }), ...slots(30, bad)]
  assert.equal(readBurnRate(pair, gaps, options).burning, false)
  const quietShort = [...slots(55, bad), ...slots(5, { ...bad, covered: false })]
  assert.equal(readBurnRate(pair, quietShort, options).covered, false)
  assert.equal(readBurnRate(pair, [], options).covered, false)
  assert.equal(readBurnRate(pair, slots(60, bad), options).burning, true)
})

test('one missed scrape in ten does not make a window uncovered', () => {
  const seen = slots(60, { requests: 100, bad: 10 }).map((slot, index) => ({
    ...slot,
    covered: index % 10 !== 0,
  }))
  assert.equal(readBurnRate(pair, seen, options).burning, true)
})

test('few requests say nothing, and one failed request is never a burn', () => {
  const oneFailure = (requests: number) => [...slots(59, { requests }), ...slots(1, { requests: 1, bad: 1 })]
  // 3 requests a minute, one failed: a rate of 33, and no evidence.
  const few = [...slots(58, {}), ...slots(2, { requests: 1 }), { covered: true, requests: 1, bad: 1 }].slice(
    -60,
  )
  assert.deepEqual(
    [readBurnRate(pair, few, options).covered, readBurnRate(pair, few, options).burning],
    [false, false],
  )
  const strict = { slotS: 1, target: 0.9999 }
  const reading = readBurnRate(pair, oneFailure(1), strict)
  assert.ok(reading.longRate > pair.limit && reading.shortRate > pair.limit && reading.covered)
  assert.equal(reading.burning, false)
})

test('no traffic at all is no evidence', () => {
  assert.equal(readBurnRate(pair, slots(60, {}), options).covered, false)
})

test('slots that are not covered add nothing to a sum', () => {
  const seen = [...slots(9, { requests: 1, bad: 1 }), { covered: false, requests: 50, bad: 50 }]
  assert.deepEqual(sumOfNewest(seen, 10), { covered: true, requests: 9, bad: 9 })
})
