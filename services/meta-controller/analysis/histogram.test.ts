import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slowerThan } from './histogram.ts'

const latency = { upperBoundsMs: [10, 100], counts: [5, 3, 2] }

test('requests slower than a threshold on a bound are those of the buckets above it', () => {
  assert.equal(slowerThan(latency, 10), 5)
  assert.equal(slowerThan(latency, 100), 2)
})

test('a bucket that the threshold cuts counts as fast', () => {
  assert.equal(slowerThan(latency, 50), 2)
  assert.equal(slowerThan(latency, 9), 5)
  assert.equal(slowerThan(latency, 1000), 0)
})

test('with a threshold of nothing every request is slow', () => {
  assert.equal(slowerThan(latency, 0), 10)
})
