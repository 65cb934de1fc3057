import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calibrateJudge } from './calibration.ts'

const boundsMs = [5, 10, 20]
const slot = (latencyCounts: number[], errors = 0) => ({
  seconds: 5,
  arm: { requests: latencyCounts.reduce((sum, count) => sum + count, 0), errors, refusals: 0, latencyCounts },
})

test('the past gives its sums, its recent latencies and one burstiness for each question', () => {
  const past = [...Array(100).fill(slot([0, 0, 0, 500])), ...Array(60).fill(slot([450, 45, 5, 0], 1))]
  const { seconds, requests, errors, latencies, burstiness } = calibrateJudge(past, boundsMs)
  assert.deepEqual([seconds, requests, errors], [800, 80_000, 60])
  assert.deepEqual(latencies.counts, [27_000, 2_700, 300, 0])
  assert.deepEqual(Object.keys(burstiness), [
    'errors',
    'refusals',
    'latency-p50',
    'latency-p95',
    'latency-p99',
  ])
})

test('no past gives no latencies and cautious values, less so for latencies, which have a tolerance too', () => {
  const { seconds, latencies, burstiness } = calibrateJudge([], boundsMs)
  assert.equal(seconds, 0)
  assert.deepEqual(latencies.counts, [0, 0, 0, 0])
  assert.ok(burstiness.errors.variance > burstiness['latency-p95'].variance)
  assert.ok(burstiness['latency-p95'].variance > 0)
})
