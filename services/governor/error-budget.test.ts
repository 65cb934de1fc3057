import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GoldenSlot } from '../platform/signals/golden.ts'
import { cutOf, maxLookbackS, readBudget } from './error-budget.ts'
import type { Objective } from './openslo.ts'

const availability: Objective = {
  name: 'availability',
  indicator: { kind: 'availability', service: 'shop', goodStatuses: [0, 5] },
  target: 0.99,
  windowS: 3_600,
}
const latency: Objective = {
  name: 'p95',
  indicator: { kind: 'latency', service: 'shop', thresholdMs: 10 },
  target: 0.95,
  windowS: 3_600,
}

function slot(changes: Partial<GoldenSlot>): GoldenSlot {
  const requestsByStatus = changes.requestsByStatus ?? { 0: 100 }
  const requests = Object.values(requestsByStatus).reduce((sum, count) => sum + count, 0)
  const latency = { upperBoundsMs: [5, 10, 25], counts: [60, 20, 15, 5] }
  return { startMs: 0, endMs: 0, covered: true, requests, errors: 0, requestsByStatus, latency, ...changes }
}

const cut = cutOf(3_600, 5)
const many = (count: number, changes: Partial<GoldenSlot> = {}) =>
  Array.from({ length: count }, () => slot(changes))

test('an hour is cut into slots of the resolution', () => {
  assert.equal(cut.slotS, 5)
  assert.equal(cut.slotCount, 720)
})

test('thirty days are cut by the shortest window and reach back as far as raw samples may', () => {
  const month = cutOf(30 * 86_400, 60)
  assert.equal(month.slotS, 60)
  assert.equal(month.slotCount * month.slotS, maxLookbackS)
})

test('no window is cut into more slots than the signal source gives', () => {
  for (const windowS of [600, 3_600, 21_600, 86_400, 30 * 86_400, 366 * 86_400]) {
    for (const resolutionS of [1, 5, 15, 60, 3_600]) {
      const { slotCount, slotS, pairs } = cutOf(windowS, resolutionS)
      assert.ok(slotCount >= 1 && slotCount <= 5_000, `${windowS} at ${resolutionS}: ${slotCount}`)
      assert.ok(pairs.every(({ shortS }) => shortS >= Math.min(slotS, shortS)))
    }
  }
})

test('availability counts the statuses that the SLO calls good', () => {
  // 2 of 100 bad where 1 of 100 is allowed: the budget is overspent once over.
  const reading = readBudget(availability, many(100, { requestsByStatus: { 0: 90, 5: 8, 14: 2 } }), cut)
  assert.equal(reading.requests, 10_000)
  assert.equal(reading.badRequests, 200)
  assert.ok(Math.abs(reading.attained - 0.98) < 1e-9)
  assert.ok(Math.abs(reading.remaining - -1) < 1e-9)
  assert.equal(reading.coveredS, 500)
})

test('latency counts what took longer than the threshold', () => {
  // 15 + 5 of 100 above 10 ms where 5 are allowed: a rate of 4.
  const reading = readBudget(latency, many(720), cut)
  assert.equal(reading.badRequests, 0.2 * reading.requests)
  assert.ok(Math.abs(reading.remaining - -3) < 1e-9)
  assert.deepEqual(
    reading.burnRates.map(({ burning }) => burning),
    [false, false, true, true],
  )
  assert.equal(reading.burning, true)
})

test('an untouched budget is 1, and without requests nothing burns', () => {
  const reading = readBudget(availability, many(100), cut)
  assert.deepEqual([reading.remaining, reading.attained, reading.burning], [1, 1, false])
  const quiet = readBudget(availability, many(100, { requestsByStatus: {} }), cut)
  assert.deepEqual([quiet.requests, quiet.remaining, quiet.burning], [0, 1, false])
})

test('what telemetry does not cover adds nothing, and its length is told', () => {
  const seen = [...many(90, { covered: false, requestsByStatus: { 14: 100 } }), ...many(10)]
  const reading = readBudget(availability, seen, cut)
  assert.deepEqual([reading.requests, reading.badRequests, reading.coveredS], [1_000, 0, 50])
  assert.equal(reading.burnRates.at(-1)?.covered, false)
})

test('without the bucket of the threshold the share is not known, which is not covered', () => {
  const coarse = { upperBoundsMs: [5, 25], counts: [60, 35, 5] }
  const reading = readBudget(latency, many(100, { latency: coarse }), cut)
  assert.deepEqual([reading.coveredS, reading.requests, reading.burning], [0, 0, false])
})
