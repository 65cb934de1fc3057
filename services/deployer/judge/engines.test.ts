import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom as seeded } from '../../platform/eventually.testing.ts'
import { lnBeta, lnGamma, lnMeanExp } from '../../platform/statistics/special-functions.ts'
import { steady } from './burst-filter.ts'
import { quantileInterval, quantileMs } from './quantile.ts'
import { begin, betOnNotWorse, betOnWorse, lnEvidence, observeRatio } from './ratio-process.ts'
import { isShownAbove, isShownBelow, lnEvidenceAgainst, upperLimit } from './share-evidence.ts'

const close = (actual: number, expected: number, within = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`)

test('the special functions have their known values', () => {
  close(lnGamma(5), Math.log(24))
  close(lnGamma(0.5), Math.log(Math.sqrt(Math.PI)))
  close(lnGamma(1000.5), 5908.674175848678, 1e-8)
  close(lnBeta(2, 3), Math.log(1 / 12))
  close(lnMeanExp([0, Math.log(3)]), Math.log(2))
  close(lnMeanExp([1000, 1000]), 1000)
})

test('one event on the canary at equal shares is worth what the mixture says', () => {
  const slot = { stableRequests: 10, stableEvents: 0, canaryRequests: 10, canaryEvents: 1 }
  const bets = { alternatives: [{ steps: 3, stake: 1 }], waiting: 0, onsetPerSecond: 0, maxLnGain: 100 }
  close(Math.exp(lnEvidence(observeRatio(begin(1, bets, steady), slot))), 4 / 3)
})

test('under the null the expected evidence of a slot is one, and less where the canary is better', () => {
  for (const bet of [betOnWorse(1, Infinity), betOnNotWorse(2, Infinity)]) {
    for (const share of [0.05, 0.2, 0.5]) {
      const slot = { stableRequests: 1000 * (1 - share), canaryRequests: 1000 * share }
      const after = (canaryEvents: number) =>
        Math.exp(lnEvidence(observeRatio(bet, { ...slot, canaryEvents, stableEvents: 1 - canaryEvents })))
      const expected = (ratio: number) => {
        const theta = (share * ratio) / (share * ratio + 1 - share)
        return theta * after(1) + (1 - theta) * after(0)
      }
      close(expected(bet.nullRatio), 1)
      assert.ok(expected(bet.nullRatio * (bet.filter.shifts[0]! > 0 ? 0.5 : 2)) < 1)
    }
  }
})

test('a slot never gains more than its cap, and a cap only takes evidence away', () => {
  const random = seeded(1)
  let [capped, free] = [betOnWorse(1, 2), betOnWorse(1, Infinity)]
  for (let slotIndex = 0; slotIndex < 200; slotIndex++) {
    const slot = {
      stableRequests: 1 + Math.floor(100 * random()),
      canaryRequests: 1 + Math.floor(100 * random()),
      stableEvents: Math.floor(8 * random()),
      canaryEvents: Math.floor(10 * random()),
    }
    const before = lnEvidence(capped)
    capped = observeRatio(capped, slot)
    free = observeRatio(free, slot)
    assert.ok(lnEvidence(capped) - before <= 2 + 1e-9)
    assert.ok(lnEvidence(capped) <= lnEvidence(free) + 1e-9)
  }
})

test('a slot with one arm only, or without events, says nothing', () => {
  const bet = betOnWorse(1, 2)
  const one = { stableRequests: 0, stableEvents: 0, canaryRequests: 10, canaryEvents: 10 }
  close(lnEvidence(observeRatio(bet, one)), 0)
  const none = { stableRequests: 10, stableEvents: 0, canaryRequests: 10, canaryEvents: 0 }
  close(lnEvidence(observeRatio(bet, none)), 0)
})

test('the expected evidence against a true share stays one, request after request', () => {
  for (const share of [0.01, 0.05, 0.3]) {
    for (const [events, requests] of [
      [0, 0],
      [3, 100],
      [90, 1000],
    ] as const) {
      const now = Math.exp(lnEvidenceAgainst(share, { events, requests }))
      const next =
        share * Math.exp(lnEvidenceAgainst(share, { events: events + 1, requests: requests + 1 })) +
        (1 - share) * Math.exp(lnEvidenceAgainst(share, { events, requests: requests + 1 }))
      close(next / now, 1, 1e-8)
    }
  }
})

test('the documented examples hold', () => {
  close(lnEvidenceAgainst(0.01, { events: 0, requests: 500 }), 3.84, 0.05)
  close(upperLimit({ events: 0, requests: 500 }, 0.05), 0.0081, 0.0003)
  const latencies = { bounds: [1, 5, 10, 25], counts: [0, 0, 200, 0, 0] }
  assert.deepEqual(quantileInterval(latencies, 0.95, 0.05), { lowerMs: 5, upperMs: 10 })
  close(quantileMs(latencies, 0.95), 9.75)
})

test('nothing is shown without requests', () => {
  const none = { events: 0, requests: 0 }
  assert.equal(isShownBelow(0.01, none, 0.05), false)
  assert.equal(isShownAbove(0.01, none, 0.05), false)
  assert.equal(upperLimit(none, 0.05), 1)
  assert.equal(quantileMs({ bounds: [1, 2], counts: [0, 0, 0] }, 0.95), 0)
})

test('limits of a share hold at every look in at least 95 of 100 runs', () => {
  let misses = 0
  for (let run = 0; run < 200; run++) {
    const random = seeded(100 + run)
    let events = 0
    for (let requests = 1; requests <= 2000; requests++) {
      if (random() < 0.02) events++
      if (isShownBelow(0.02, { events, requests }, 0.05)) {
        misses++
        break
      }
    }
  }
  assert.ok(misses / 200 <= 0.05, `${misses} of 200`)
})

test('the interval of a quantile holds at every look, and closes on it', () => {
  const bounds = Array.from({ length: 40 }, (_, index) => 1.15 ** index)
  const truth = -10 * Math.log(0.05)
  let misses = 0
  for (let run = 0; run < 60; run++) {
    const random = seeded(500 + run)
    const counts = Array<number>(bounds.length + 1).fill(0)
    let missed = false
    for (let second = 0; second < 60; second++) {
      for (let request = 0; request < 50; request++) {
        const durationMs = -10 * Math.log(1 - random())
        const bucket = bounds.findIndex((bound) => durationMs <= bound)
        counts[bucket === -1 ? bounds.length : bucket]!++
      }
      const { lowerMs, upperMs } = quantileInterval({ bounds, counts }, 0.95, 0.05)
      missed ||= lowerMs >= truth || upperMs < truth
    }
    if (missed) misses++
    const { lowerMs, upperMs } = quantileInterval({ bounds, counts }, 0.95, 0.05)
    assert.ok(lowerMs > 0.7 * truth && upperMs < 1.4 * truth, `${lowerMs} to ${upperMs}, truth ${truth}`)
  }
  assert.ok(misses / 60 <= 0.05, `${misses} of 60`)
})
