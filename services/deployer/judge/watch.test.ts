import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  binomialVariate,
  poissonVariate,
  type Random,
  seededRandom,
} from '../../platform/statistics/random.ts'
import { calibrateJudge } from './calibration.ts'
import type { ArmCounts } from './slot.ts'
import { alarmsOf, type Baseline, beginWatch, observeWatch } from './watch.ts'

const boundsMs = [5, 10, 20, 40]

/** A hundred requests in a second; a tenth of them beyond 10 ms, or a share `slow` beyond 20. */
function arm(random: Random, errors: number, slow = 0.02): ArmCounts {
  const slowest = binomialVariate(random, 100, slow)
  return {
    requests: 100,
    errors: poissonVariate(random, errors),
    refusals: 0,
    latencyCounts: [50, 50 - slowest, 0, slowest, 0],
  }
}

function baseline(seed: number): Baseline {
  const random = seededRandom(seed)
  const past = Array.from({ length: 120 }, () => ({ seconds: 5, arm: scaled(random) }))
  const alone = calibrateJudge(past, boundsMs)
  return { alone, lately: { ...alone, requests: 0 }, burstiness: alone.burstiness }
}

function scaled(random: Random): ArmCounts {
  const { latencyCounts, ...one } = arm(random, 0.5)
  return {
    ...one,
    requests: 500,
    errors: poissonVariate(random, 2.5),
    latencyCounts: latencyCounts.map((count) => 5 * count),
  }
}

const options = { alpha: 0.01, looks: 60, latencyTolerance: 0.25 }

/** The second of the first alarm, or Infinity. */
function alarmAt(seed: number, errors: (second: number) => number, slow = 0.02, seconds = 60): number {
  const random = seededRandom(seed)
  let watch = beginWatch({ ...options, looks: seconds }, baseline(seed % 10))
  for (let second = 0; second < seconds; second++) {
    watch = observeWatch(watch, arm(random, errors(second), slow))
    if (alarmsOf(watch).length > 0) return second + 1
  }
  return Infinity
}

test('of 200 versions that are as good as the old one, at most one in a hundred has an alarm', () => {
  let alarms = 0
  for (let seed = 0; seed < 200; seed++) if (alarmAt(seed, () => 0.5) < Infinity) alarms++
  assert.ok(alarms <= 2, `${alarms} of 200`)
})

test('twenty times the errors have an alarm within seconds, at once or late', () => {
  for (let seed = 0; seed < 20; seed++) {
    assert.ok(alarmAt(seed, () => 10) <= 3)
    assert.ok(alarmAt(seed, (second) => (second < 40 ? 0.5 : 10)) <= 44)
  }
})

test('a version that is much slower with all the traffic has an alarm of its latency', () => {
  for (let seed = 0; seed < 10; seed++) assert.ok(alarmAt(seed, () => 0.5, 0.4) <= 10)
})

test('what stable did lately counts too: when it had become slower itself, the canary is held to that', () => {
  const random = seededRandom(3)
  const { alone, burstiness } = baseline(1)
  const slower = { requests: 1000, errors: 5, latencies: { bounds: boundsMs, counts: [300, 200, 0, 500, 0] } }
  let watch = beginWatch(options, { alone, lately: slower, burstiness })
  for (let second = 0; second < 60; second++) watch = observeWatch(watch, arm(random, 0.5, 0.4))
  assert.deepEqual(alarmsOf(watch), [])
})

test('the alarm says what was counted and what was before', () => {
  const random = seededRandom(1)
  let watch = beginWatch(options, baseline(1))
  for (let second = 0; second < 3; second++) watch = observeWatch(watch, arm(random, 30))
  const [alarm] = alarmsOf(watch)
  assert.equal(alarm?.name, 'errors')
  assert.match(
    alarm.remark,
    /^with all the traffic \d+ of 300 failed, where stable had at most 0\.\d+ % before: 10\^/,
  )
})

test('without a past, without traffic, and from counts that are no numbers there is no alarm', () => {
  const none = calibrateJudge([], boundsMs)
  const random = seededRandom(2)
  let blind = beginWatch(options, { alone: none, lately: none, burstiness: none.burstiness })
  for (let second = 0; second < 20; second++) blind = observeWatch(blind, arm(random, 50))
  assert.deepEqual(alarmsOf(blind), [])
  let watch = beginWatch(options, baseline(3))
  const bad = { requests: 0, errors: 0, refusals: 0, latencyCounts: [0, 0, 0, 0, 0] }
  for (const requests of [0, Number.NaN, Infinity]) watch = observeWatch(watch, { ...bad, requests })
  for (const errors of [Number.NaN, Infinity, -1])
    watch = observeWatch(watch, { ...bad, requests: 100, errors })
  assert.deepEqual(alarmsOf(watch), [])
})
