import assert from 'node:assert/strict'
import { test } from 'node:test'
import { poissonVariate, type Random, seededRandom } from '../../../platform/statistics/random.ts'
import { judgeSlots, type SlotMetric, type SlotSignals } from './slots.ts'

const upperBoundsMs = [10, 20, 50, 100]

function slot(requests: number, errors: number, shares = [0.6, 0.3, 0.09, 0.01, 0]): SlotSignals {
  return { requests, errors, latency: { upperBoundsMs, counts: shares.map((share) => share * requests) } }
}

const slots = (length: number, each: SlotSignals) => Array.from({ length }, () => each)

function pValueOf(
  metric: SlotMetric,
  baseline: readonly SlotSignals[],
  recent: readonly SlotSignals[],
): number {
  return judgeSlots(baseline, recent).find((one) => one.metric === metric)!.pValue
}

test('ten times the errors are told as errors and as nothing else', () => {
  const [traffic, errors, latency] = judgeSlots(slots(20, slot(100, 1)), slots(5, slot(100, 10)))
  assert.equal(errors?.metric, 'errors')
  assert.ok(errors!.pValue < 1e-12)
  assert.deepEqual([errors!.value, errors!.reference], [0.1, 0.01])
  assert.ok(traffic!.pValue > 0.5)
  assert.ok(latency!.pValue > 0.5)
})

test('slow requests are told by the quantile that moved', () => {
  const slower = slot(100, 1, [0.6, 0.1, 0.1, 0.15, 0.05])
  const latency = judgeSlots(slots(20, slot(100, 1)), slots(5, slower))[2]!
  assert.ok(latency.pValue < 1e-6)
  assert.ok(latency.quantile! >= 0.9)
  assert.ok(latency.value > latency.reference)
})

test('less traffic is told, faster answers and fewer errors are not', () => {
  const baseline = slots(20, slot(100, 10))
  assert.ok(pValueOf('traffic', baseline, slots(5, slot(50, 5))) < 1e-6)
  assert.ok(pValueOf('errors', baseline, slots(5, slot(100, 0))) > 0.9)
  assert.ok(pValueOf('latency', baseline, slots(5, slot(100, 10, [1, 0, 0, 0, 0]))) > 0.9)
})

test('no slots, empty slots and histograms without bounds give 1', () => {
  const none = { requests: 0, errors: 0, latency: { upperBoundsMs: [], counts: [0] } }
  for (const [baseline, recent] of [
    [[], []],
    [slots(20, none), slots(5, none)],
    [[], slots(5, slot(100, 10))],
    [slots(20, slot(100, 10)), []],
  ] as const)
    for (const { pValue, score } of judgeSlots(baseline, recent)) assert.deepEqual([pValue, score], [1, 0])
})

function drawn(random: Random, rate: number): SlotSignals {
  const requests = poissonVariate(random, rate)
  const counts = [0, 0, 0, 0, 0]
  let errors = 0
  for (let request = 0; request < requests; request++) {
    const at = random()
    counts[at < 0.6 ? 0 : at < 0.9 ? 1 : at < 0.99 ? 2 : 3]! += 1
    if (random() < 0.02) errors++
  }
  return { requests, errors, latency: { upperBoundsMs, counts } }
}

test('of unchanged services as few are called changed as the p-values say, at low traffic too', () => {
  const random = seededRandom(41)
  const trials = 600
  for (const rate of [0.5, 5, 50]) {
    const rare: Record<SlotMetric, number> = { traffic: 0, errors: 0, latency: 0 }
    for (let trial = 0; trial < trials; trial++) {
      const baseline = Array.from({ length: 60 }, () => drawn(random, rate))
      const recent = Array.from({ length: 20 }, () => drawn(random, rate))
      for (const { metric, pValue } of judgeSlots(baseline, recent)) if (pValue <= 0.01) rare[metric]++
    }
    for (const [metric, seen] of Object.entries(rare))
      assert.ok(seen <= 0.03 * trials, `${seen} of ${trials} for ${metric} at ${rate}`)
  }
})
