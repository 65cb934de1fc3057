import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Comparison, maxComparedSlots } from './comparison.ts'
import { judgeBoundsMs } from './splitter/bounds.ts'

const arm = (requests: number, errors = 0) => ({
  requests,
  errors,
  refusals: 0,
  latencyCounts: [...judgeBoundsMs.map((_, index) => (index === 30 ? requests : 0)), 0],
})
const slot = (startSeconds: number, weight: number, requests = 10) => ({
  startSeconds,
  seconds: 1,
  weight,
  stable: arm(requests, 1),
  canary: arm(requests),
})

test('a slot tells both arms’ requests, errors and latencies', () => {
  const comparison = new Comparison()
  comparison.add(slot(0, 20))
  const [only] = comparison.slots()
  assert.deepEqual([only?.startSeconds, only?.seconds, only?.weight], [0, 1, 20])
  assert.deepEqual([only?.stable.requests, only?.stable.errors, only?.canary.errors], [10, 1, 0])
  const [below, above] = [judgeBoundsMs[29]!, judgeBoundsMs[30]!]
  for (const ms of [only!.canary.meanMs, only!.canary.p50Ms, only!.canary.p99Ms]) {
    assert.ok(ms >= below && ms <= above, `${ms}`)
  }
})

test('a version without requests has zeros', () => {
  const comparison = new Comparison()
  comparison.add(slot(0, 20, 0))
  assert.deepEqual(comparison.slots()[0]?.canary, {
    requests: 0,
    errors: 0,
    refusals: 0,
    meanMs: 0,
    p50Ms: 0,
    p95Ms: 0,
    p99Ms: 0,
  })
})

test('a long rollout keeps within the bound, loses no request, and mixes no weights', () => {
  const comparison = new Comparison()
  for (let second = 0; second < 5000; second++) comparison.add(slot(second, second < 1000 ? 20 : 50))
  const slots = comparison.slots()
  assert.ok(slots.length <= maxComparedSlots && slots.length > maxComparedSlots / 4)
  assert.equal(
    slots.reduce((sum, one) => sum + one.stable.requests, 0),
    50_000,
  )
  assert.deepEqual([...new Set(slots.map(({ weight }) => weight))], [20, 50])
  for (const [index, one] of slots.entries()) {
    if (index > 0) assert.equal(one.startSeconds, slots[index - 1]!.startSeconds + slots[index - 1]!.seconds)
  }
})
