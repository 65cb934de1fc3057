import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calibrate } from './burstiness.ts'
import type { Latencies } from './quantile.ts'
import {
  beginSlowness,
  beginSlownessStep,
  judgeSlowness,
  observeReference,
  observeSlowness,
  type Slowness,
} from './slowness.ts'

const bounds = [1, 2.5, 5, 10, 25, 50, 100]
const options = {
  name: 'latency-p95',
  p: 0.95,
  margin: 2,
  tolerance: 0.25,
  alpha: 0.01 / 6,
  beta: 0.05,
  burstiness: calibrate([]),
} as const

/** `fast` requests in the bucket up to 5 ms and `slow` ones in that up to 25 ms. */
const arm = (fast: number, slow: number): Latencies => ({ bounds, counts: [0, 0, fast, 0, slow, 0, 0, 0] })

function after(slots: number, stable: Latencies, canary: Latencies): Slowness {
  let slowness = observeReference(beginSlowness(options, bounds), stable)
  for (let slot = 0; slot < slots; slot++) slowness = observeSlowness(slowness, stable, canary)
  return slowness
}

test('equal latencies are shown not to be slower, and the quantiles are told', () => {
  const finding = judgeSlowness(after(10, arm(50, 0), arm(50, 0)))
  assert.equal(finding.isShownNotWorse, true)
  assert.equal(finding.isShownWorse, false)
  assert.match(finding.remark, /^p95 canary 4\.9 ms, stable 4\.9 ms: shown not to be slower/)
})

test('a canary whose tail is a bucket beyond the tolerance is worse after a few slots, not after one', () => {
  assert.equal(judgeSlowness(after(1, arm(50, 0), arm(30, 20))).isShownWorse, false)
  assert.equal(judgeSlowness(after(6, arm(50, 0), arm(30, 20))).isShownWorse, true)
})

test('a tail that both have is no evidence, whatever its size', () => {
  const finding = judgeSlowness(after(40, arm(30, 20), arm(30, 20)))
  assert.ok(finding.log10Worse < 0.5)
  assert.equal(finding.isShownNotWorse, true)
})

test('without a reference nothing is compared, so the first slot alone shows nothing', () => {
  const finding = judgeSlowness(observeSlowness(beginSlowness(options, bounds), arm(50, 0), arm(0, 50)))
  assert.equal(finding.log10Worse, 0)
})

test('at a new weight the histograms begin anew and the evidence goes on', () => {
  const before = after(6, arm(50, 0), arm(30, 20))
  const finding = judgeSlowness(beginSlownessStep(before))
  assert.equal(finding.canaryCount, 0)
  assert.equal(finding.log10Worse, judgeSlowness(before).log10Worse)
})

test('nothing judged yet is said, and is neither worse nor not worse', () => {
  const finding = judgeSlowness(beginSlowness(options, bounds))
  assert.deepEqual([finding.isShownWorse, finding.isShownNotWorse], [false, false])
  assert.match(finding.remark, /^p95: no request is judged yet/)
})
