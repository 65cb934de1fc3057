import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../platform/eventually.testing.ts'
import { detectViolation, falseAlarmProbability, leastRequests, type Slot } from './detect.ts'

const pledge = { slo: 'p95', objective: 0.95, thresholdMs: 10 }

function slotOf(requests: number, slow: number, errors = 0): Slot {
  return { requests, errors, latency: { upperBoundsMs: [10, 100], counts: [requests - slow, slow, 0] } }
}

function binomial(random: () => number, trials: number, probability: number): number {
  let successes = 0
  for (let i = 0; i < trials; i++) if (random() < probability) successes += 1
  return successes
}

test('a clear break of the promise is a violation with a tiny p-value', () => {
  const violation = detectViolation(
    Array.from({ length: 10 }, () => slotOf(100, 20)),
    pledge,
  )
  assert.equal(violation.requests, 1000)
  assert.equal(violation.bad, 200)
  assert.ok(violation.pValue < 1e-60)
  assert.equal(violation.violated, true)
})

test('errors count for availability, latency does not', () => {
  const slots = Array.from({ length: 10 }, () => slotOf(100, 50, 5))
  const violation = detectViolation(slots, { slo: 'availability', objective: 0.99 })
  assert.equal(violation.bad, 50)
  assert.equal(violation.violated, true)
})

test('a promise that is just kept is called broken at most as often as stated', () => {
  const random = seededRandom(20261122)
  const looks = 3000
  let alarms = 0
  for (let look = 0; look < looks; look++) {
    const slots = Array.from({ length: 20 }, () => slotOf(80, binomial(random, 80, 0.05)))
    if (detectViolation(slots, pledge).violated) alarms += 1
  }
  // Four times the expected number leaves room for chance in 3,000 looks, and would show a test that is off by ten.
  assert.ok(alarms <= 4 * falseAlarmProbability * looks, `${alarms} alarms in ${looks} looks`)
})

test('a burst in one second is weaker evidence than the same number spread out', () => {
  const spread = Array.from({ length: 20 }, () => slotOf(80, 7))
  const burst = Array.from({ length: 20 }, (_, index) => slotOf(80, index === 0 ? 80 : index < 10 ? 4 : 3))
  const spreadViolation = detectViolation(spread, pledge)
  const burstViolation = detectViolation(burst, pledge)
  assert.ok(burstViolation.dispersion > 5)
  assert.ok(burstViolation.pValue > spreadViolation.pValue)
})

test('empty, silent and thin telemetry is no violation, whatever it says', () => {
  for (const slots of [[], [slotOf(0, 0)], [slotOf(leastRequests - 1, leastRequests - 1)]]) {
    assert.equal(detectViolation(slots, pledge).violated, false)
  }
  assert.equal(detectViolation([], pledge).pValue, 1)
})
