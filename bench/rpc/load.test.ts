import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measure, median, quantile } from './load.ts'

test('quantiles are by nearest rank', () => {
  const sorted = Array.from({ length: 100 }, (_, index) => index + 1)
  assert.equal(quantile(sorted, 0.5), 50)
  assert.equal(quantile(sorted, 0.99), 99)
  assert.equal(quantile([7], 0.99), 7)
})

test('the median of an even count is between its middle two', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.equal(median([3, 1, 2]), 2)
})

test('the load keeps as many calls in flight as it has callers', async () => {
  let inFlight = 0
  let most = 0
  const call = async () => {
    inFlight += 1
    most = Math.max(most, inFlight)
    await new Promise(setImmediate)
    inFlight -= 1
  }
  const round = await measure(call, 7, 20)
  assert.equal(most, 7)
  assert.ok(round.calls >= 7)
})
