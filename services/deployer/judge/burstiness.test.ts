import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gammaVariate, poissonVariate, seededRandom } from '../../platform/statistics/random.ts'
import { calibrate, type PastSlot } from './burstiness.ts'

/** An hour in slots of five seconds. */
function past(seed: number, variation: number, burstSeconds: number, eventsPerSecond = 5): PastSlot[] {
  const random = seededRandom(seed)
  let factor = 1
  return Array.from({ length: 720 }, (_, index) => {
    if (variation > 0 && (5 * index) % burstSeconds === 0)
      factor = gammaVariate(random, 1 / variation ** 2, 1)
    return { seconds: 5, requests: 5000, events: poissonVariate(random, 5 * eventsPerSecond * factor) }
  })
}

test('the documented example holds: a steady hour has the variance 0', () => {
  const { variance, events } = calibrate(
    Array.from({ length: 3600 }, () => ({ seconds: 1, requests: 1000, events: 5 })),
  )
  assert.equal(variance, 0)
  assert.equal(events, 18_000)
})

test('chance alone is not taken for bursts', () => {
  for (let seed = 0; seed < 20; seed++) assert.ok(calibrate(past(seed, 0, 60)).variance <= 0.01)
})

test('bursts of a minute with CV 1 are seen, with about their length, in nine of ten pasts', () => {
  let right = 0
  for (let seed = 0; seed < 50; seed++) {
    const { variance, burstSeconds } = calibrate(past(seed, 1, 60))
    if (variance >= 0.3 && burstSeconds >= 30 && burstSeconds <= 180) right++
  }
  assert.ok(right >= 45, `${right}`)
})

test('short bursts are told from long ones', () => {
  const short = calibrate(past(3, 0.7, 10)).burstSeconds
  const long = calibrate(past(3, 0.7, 120)).burstSeconds
  assert.ok(short < 30 && long > 60, `${short} ${long}`)
})

test('a slow drift of the rate, which both versions share, is no burst', () => {
  const random = seededRandom(5)
  const drifting = Array.from({ length: 720 }, (_, index) => {
    const mean = 25 * (1 + 0.2 * Math.sin((2 * Math.PI * index) / 2880))
    return { seconds: 5, requests: 5000, events: poissonVariate(random, mean) }
  })
  assert.ok(calibrate(drifting).variance <= 0.01)
})

test('without a past, without traffic and without events the answer is the cautious one', () => {
  const cautious = calibrate([]).variance
  assert.equal(cautious, 0.1)
  const silent = (requests: number) =>
    Array.from({ length: 100 }, () => ({ seconds: 1, requests, events: 0 }))
  assert.equal(calibrate(silent(0)).variance, cautious)
  assert.equal(calibrate(silent(1000)).variance, cautious)
  assert.equal(calibrate([{ seconds: 1, requests: 1, events: 1 }]).variance, cautious)
})

test('slots that are no counts are passed over', () => {
  const clean = past(1, 0, 60)
  const dirt = [Number.NaN, Infinity, -Infinity, -1].flatMap((value) => [
    { seconds: 5, requests: value, events: 1 },
    { seconds: 5, requests: 5, events: value },
    { seconds: value, requests: 5, events: 1 },
  ])
  assert.deepEqual(calibrate([...dirt, ...clean, { seconds: 0, requests: 9, events: 9 }]), calibrate(clean))
})

test('a million slots are answered in a moment, and one slot of a billion events too', () => {
  const startMs = process.cpuUsage().user / 1000
  const many = calibrate(Array.from({ length: 1e6 }, () => ({ seconds: 1, requests: 100, events: 3 })))
  assert.equal(many.variance, 0)
  assert.ok(Number.isFinite(calibrate([{ seconds: 1, requests: 1e12, events: 1e9 }]).variance))
  assert.ok(process.cpuUsage().user / 1000 - startMs < 3000)
})
