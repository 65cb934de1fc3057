import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BudgetSeen, Observation } from './observe.ts'
import { understand } from './orient.ts'

const budget: BudgetSeen = {
  name: 'p95',
  service: 'storefront',
  indicator: 'latency',
  objective: 0.95,
  thresholdMs: 10,
  windowSeconds: 3600,
  remaining: 0.5,
  burning: true,
  burnRate: 4,
}

function observed(slow: number, requests = 80, budgets: readonly BudgetSeen[] = [budget]): Observation {
  const slot = {
    requests,
    errors: 0,
    latency: { upperBoundsMs: [10, 100], counts: [requests - slow, slow, 0] },
  }
  return {
    atMs: 0,
    seconds: 20,
    head: 'a'.repeat(40),
    branch: 'main',
    permitted: ['enable_caching'],
    steps: [{ weightPercent: 10, minSeconds: 5 }],
    services: [
      {
        service: 'storefront',
        coveredSeconds: 20,
        slots: Array.from({ length: 20 }, () => slot),
        history: [],
      },
    ],
    edges: [
      { caller: 'web', service: 'storefront', requests: 75 },
      { caller: 'web', service: 'other', requests: 25 },
    ],
    budgets,
  }
}

test('a broken promise is an anomaly with value, reference and p-value, in words too', () => {
  const situation = understand(observed(20), { targetMetric: 'latency_p95' })
  assert.equal(situation.anomalies.length, 1)
  assert.equal(situation.anomalies[0]?.reference, 10)
  assert.ok((situation.anomalies[0]?.value ?? 0) > 10)
  assert.match(
    situation.remark,
    /latency_p95 of storefront is .* ms: 25\.0 % of 1600 requests took longer than 10 ms, 5\.00 % are allowed/,
  )
  assert.equal(situation.trafficShare, 0.75)
})

test('a kept promise is no anomaly, and the remark says how it stands', () => {
  const situation = understand(observed(1), { targetMetric: 'latency_p95' })
  assert.deepEqual(situation.anomalies, [])
  assert.match(situation.remark, /1\.25 % of 1600 requests/)
})

test('without an SLO for the metric there is nothing to judge by', () => {
  const situation = understand(observed(20), { targetMetric: 'error_rate' })
  assert.match(situation.notEnough ?? '', /no SLO that promises error_rate of storefront: add one/)
})

test('too few requests are not enough evidence', () => {
  const situation = understand(observed(2, 4), { targetMetric: 'latency_p95' })
  assert.match(situation.notEnough ?? '', /80 requests in 20 s of telemetry, 100 are needed/)
})

test('a quantile is judged by the latency SLO that is nearest to it', () => {
  const tail = { ...budget, name: 'tail', objective: 0.995, thresholdMs: 100 }
  const situation = understand(observed(20, 80, [budget, tail]), { targetMetric: 'latency_p99' })
  assert.deepEqual(situation.anomalies, [])
})

test('a target that does not run is told as that, and one that was restarted while it was watched is judged', () => {
  const notReady = 'its program ended with exit code 1'
  const silent = { ...observed(0, 0), notReady }
  const { notEnough } = understand(silent, { targetMetric: 'latency_p95' })
  assert.equal(notEnough, 'the target is not ready: its program ended with exit code 1')
  const restarted = { ...observed(20), notReady }
  assert.equal(understand(restarted, { targetMetric: 'latency_p95' }).anomalies.length, 1)
})
