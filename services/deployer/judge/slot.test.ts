import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addCounts, armCounts, noCounts, subtractCounts } from './slot.ts'

test('statuses are the service’s errors, refusals, or neither', () => {
  const { requests, errors, refusals } = armCounts({ 0: 10, 1: 1, 3: 1, 4: 2, 5: 1, 13: 3, 14: 4 }, [22])
  assert.deepEqual([requests, errors, refusals], [22, 9, 3])
})

test('counts are added and subtracted one by one', () => {
  const a = { requests: 5, errors: 1, refusals: 2, latencyCounts: [1, 4] }
  const b = { requests: 2, errors: 1, refusals: 0, latencyCounts: [0, 2] }
  assert.deepEqual(subtractCounts(addCounts(a, b), b), a)
  assert.deepEqual(addCounts(a, noCounts(2)), a)
})
