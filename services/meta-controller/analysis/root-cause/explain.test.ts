import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain, periodOf } from './explain.ts'
import { loadOf, massOf, type SignalSlot } from './load.ts'

const upperBoundsMs = [10, 20, 50, 100, 200]
/** Slots in which so many requests fall into one bucket. */
const slots = (count: number, requests: number, bucket: number, errors = 0): SignalSlot[] =>
  Array.from({ length: count }, () => ({
    requests,
    errors,
    latency: { upperBoundsMs, counts: [0, 1, 2, 3, 4, 5].map((index) => (index === bucket ? requests : 0)) },
  }))

test('a slot becomes a load by its sum of latencies, or else by the middles of its buckets', () => {
  const latency = { upperBoundsMs, counts: [2, 0, 0, 1, 0, 1] }
  assert.deepEqual(loadOf({ requests: 4, errors: 1, latency }), {
    requests: 4,
    failures: 1,
    requestSeconds: (2 * 5 + 75 + 200) / 1000,
  })
  assert.equal(loadOf({ requests: 4, errors: 1, latency, latencySumMs: 100 }).requestSeconds, 0.1)
})

test('a load without requests weighs nothing, one that was not measured is not a number', () => {
  assert.equal(massOf({ requests: 0, failures: 9, requestSeconds: Number.NaN }, 'latency'), 0)
  assert.ok(Number.isNaN(massOf(undefined, 'errors')))
  assert.ok(Number.isNaN(massOf({ requests: 1, failures: 1, requestSeconds: Number.NaN }, 'latency')))
  assert.equal(massOf({ requests: 2, failures: 1, requestSeconds: Number.NaN }, 'errors'), 1)
})

test('an observation becomes a period with the calls of its edges', () => {
  const period = periodOf({
    services: [{ service: 'shop', slots: slots(2, 5, 0) }],
    edges: [{ caller: 'shop', service: 'stock' }],
  })
  assert.deepEqual(period.calls, [{ caller: 'shop', service: 'stock' }])
  assert.equal(period.services[0]?.slots.length, 2)
})

const observed = (count: number, shopBucket: number, stockBucket: number, errors = 0) => ({
  services: [
    { service: 'shop', slots: slots(count, 50, shopBucket, errors) },
    { service: 'stock', slots: slots(count, 50, stockBucket, errors) },
  ],
  edges: [{ caller: 'shop', service: 'stock' }],
})

test('a slow callee is explained against a normal time', () => {
  const suspicion = { target: 'shop', mass: 'latency', isViolated: true } as const
  const found = explain(observed(20, 4, 4), observed(60, 1, 0), suspicion)
  assert.equal(found.culprit, 'stock')
  assert.ok(found.evidence > found.threshold)
})

test('failures of a callee are explained without a normal time, if the promise is broken', () => {
  const suspicion = { target: 'shop', mass: 'errors', isViolated: true } as const
  assert.equal(explain(observed(20, 1, 0, 5), undefined, suspicion).culprit, 'stock')
  assert.equal(
    explain(observed(20, 1, 0, 5), undefined, { ...suspicion, isViolated: false }).culprit,
    undefined,
  )
  assert.equal(explain(observed(20, 1, 0, 0), undefined, suspicion).culprit, undefined)
})

test('an observation of nothing explains nothing', () => {
  const suspicion = { target: 'shop', mass: 'latency', isViolated: true } as const
  assert.deepEqual(explain({ services: [], edges: [] }, undefined, suspicion).causes, [])
  assert.deepEqual(explain(observed(20, 0, 0), { services: [], edges: [] }, suspicion).causes.length, 1)
})

test('without a call graph nobody but the target is named, and only if nothing strayed further', () => {
  const suspicion = { target: 'shop', mass: 'latency', isViolated: true } as const
  const varying = (count: number, shopMs: number, stockMs: number) => ({
    services: [
      { service: 'shop', slots: varied(count, shopMs) },
      { service: 'stock', slots: varied(count, stockMs) },
    ],
    edges: [],
  })
  const usual = varying(60, 10, 10)
  const elsewhere = explain(varying(20, 100, 300), usual, suspicion)
  assert.equal(elsewhere.culprit, undefined)
  assert.equal(elsewhere.causes[1]?.service, 'stock')
  assert.match(elsewhere.remark, /^latency of stock strayed by .* no call graph tells whether shop calls it$/)
  assert.equal(explain(varying(20, 100, 10), usual, suspicion).culprit, 'shop')
})

function varied(count: number, latencyMs: number): SignalSlot[] {
  return Array.from({ length: count }, (_, slot) => ({
    requests: 50,
    errors: 0,
    latency: { upperBoundsMs, counts: [0, 0, 0, 0, 0, 0] },
    latencySumMs: 50 * (latencyMs + (slot % 5)),
  }))
}
