import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Slot } from './analysis/detect.ts'
import { blameFor, changesOf } from './blame.ts'

/** `latencies` by milliseconds: so many requests of that duration in a slot. */
function slots(count: number, fast: number, slow: number, errors = 0): Slot[] {
  const latency = { upperBoundsMs: [10, 100], counts: [fast, slow, 0] }
  return Array.from({ length: count }, () => ({ requests: fast + slow, errors, latency }))
}

const shop = { service: 'shop', coveredSeconds: 20, slots: slots(20, 50, 50), history: slots(60, 100, 0) }
const stock = { service: 'stock', coveredSeconds: 20, slots: slots(20, 50, 50), history: slots(60, 100, 0) }
const edges = [
  { caller: 'web', service: 'shop', requests: 2000 },
  { caller: 'shop', service: 'stock', requests: 2000, slots: stock.slots, history: stock.history },
]

test('what is unlike before is told with a p-value over all that was looked at', () => {
  const changes = changesOf({ services: [shop, stock] })
  assert.deepEqual(changes.map(({ service, metric }) => `${metric} of ${service}`).toSorted(), [
    'latency of shop',
    'latency of stock',
  ])
  assert.match(changes[0]?.remark ?? '', /latency of \w+ changed from [\d.]+ to [\d.]+ \(p = /)
  assert.ok(changes.every(({ pValue }) => pValue < 1e-6))
})

test('nothing is said of what telemetry does not reach back to, nor of what is as before', () => {
  assert.deepEqual(changesOf({ services: [{ ...shop, history: [] }] }), [])
  assert.deepEqual(changesOf({ services: [{ ...shop, slots: slots(20, 100, 0) }] }), [])
})

test('a slow callee has the caller’s excess, held against the time before', () => {
  const observation = { services: [shop, stock], edges }
  const blame = blameFor({ service: 'shop', metric: 'latency_p95' }, observation, changesOf(observation))
  assert.equal(blame.culprit, 'stock')
  assert.ok((blame.rootCauses[0]?.share ?? 0) > 0.9)
  assert.match(blame.rootCauses[0]?.remark ?? '', /stock has \d+ % of the added time of shop/)
})

test('what is as old as telemetry is shared out whole; a service without callees has all of it', () => {
  const old = { ...shop, history: shop.slots }
  const observation = { services: [old], edges: edges.slice(0, 1) }
  const changes = changesOf(observation)
  assert.deepEqual(changes, [])
  const blame = blameFor({ service: 'shop', metric: 'latency_p95' }, observation, changes)
  assert.equal(blame.culprit, 'shop')
  assert.equal(blame.rootCauses[0]?.share, 1)
  assert.equal(blame.unexplainedShare, 0)
})
