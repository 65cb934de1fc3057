import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  gammaVariate,
  normalVariate,
  poissonVariate,
  type Random,
  seededRandom,
} from '../../../platform/statistics/random.ts'
import { AlarmPolicy, alarmProbability } from './alarm.ts'
import { CountWatch } from './count-watch.ts'
import { SeriesWatch } from './series-watch.ts'
import { createServiceWatch, type Reading, type WatchedMetric } from './watch.ts'

const slotMs = 60_000
const slotsPerWeek = 10_080
const metrics: readonly WatchedMetric[] = [
  { name: 'requests', kind: 'count' },
  { name: 'errors', kind: 'count', direction: 'up' },
  { name: 'latency', kind: 'level', direction: 'up' },
]

test('the budget sets the probability', () => {
  const perWeek = 1
  assert.ok(Math.abs(alarmProbability({ perWeek, slotMs: 300_000, metrics: 3 }) - 1 / (2016 * 3)) < 1e-15)
  assert.equal(alarmProbability({ perWeek: 1e9, slotMs, metrics: 0 }), 1)
})

test('one alarm, then silence for the rest period', () => {
  const policy = new AlarmPolicy(3, { slots: 2, share: 0 })
  assert.deepEqual(
    [0, 3, 9, 9, 3, 1, Number.NaN, 5].map((score) => policy.update(score)),
    [false, true, false, false, true, false, false, true],
  )
  const growing = new AlarmPolicy(3, { slots: 1, share: 0.5 })
  for (let slot = 0; slot < 10; slot++) growing.update(0)
  assert.equal(growing.update(4), true)
  assert.deepEqual(
    Array.from({ length: 6 }, () => growing.update(4)),
    [false, false, false, false, false, true],
  )
})

/** A service in normal operation: how many requests, with which errors and latency. */
const services: Readonly<Record<string, (random: Random) => (slot: number) => Record<string, Reading>>> = {
  steady: (random) => () => readings(random, 50, 0.01, Math.exp(0.3 * normalVariate(random))),
  'of few requests': (random) => () => readings(random, 0.7, 0.02, Math.exp(normalVariate(random))),
  'with bursts of errors': (random) => () =>
    readings(random, 50, gammaVariate(random, 1, 0.01), Math.exp(0.5 * normalVariate(random))),
  'with days and nights': (random) => (slot) => {
    const day = 1 + 0.6 * Math.sin((slot / 1440) * 2 * Math.PI)
    return readings(random, 60 * day, 0.005, 5 * day + Math.exp(0.3 * normalVariate(random)))
  },
}

function readings(
  random: Random,
  rate: number,
  errorShare: number,
  latency: number,
): Record<string, Reading> {
  const requests = poissonVariate(random, rate)
  const errors = { events: poissonVariate(random, requests * errorShare), exposure: requests }
  return { requests, errors, latency: requests > 0 ? latency : undefined }
}

for (const [name, service] of Object.entries(services)) {
  test(`a service ${name} costs no more false alarms than its budget`, () => {
    const weeks = 4
    let alarms = 0
    for (let week = 0; week < weeks; week++) {
      const next = service(seededRandom(`${name} ${week}`))
      const watch = createServiceWatch({ budgetPerWeek: 2, slotMs, metrics })
      for (let slot = 0; slot < slotsPerWeek; slot++)
        if (watch.update(next(slot), slot * slotMs).alarm) alarms++
    }
    // Twice the budget would be 16: chance makes more than 12 of 8 one time in ten.
    assert.ok(alarms <= 12, `${alarms} alarms in ${weeks} weeks with a budget of 2`)
  })
}

test('what breaks is told within slots, by the metric that broke, once', () => {
  for (const [broken, change] of [
    ['errors', { errorShare: 0.1, latency: 1 }],
    ['latency', { errorShare: 0.01, latency: 20 }],
  ] as const) {
    const random = seededRandom(broken)
    const watch = createServiceWatch({ budgetPerWeek: 1, slotMs, metrics })
    const told: { slot: number; metric: string }[] = []
    for (let slot = 0; slot < 2040; slot++) {
      const bad = slot >= 2000
      const noise = Math.exp(0.3 * normalVariate(random))
      const reading = readings(random, 50, bad ? change.errorShare : 0.01, noise * (bad ? change.latency : 1))
      const { alarm, metrics: judged } = watch.update(reading, slot * slotMs)
      if (alarm) told.push({ slot, metric: judged[0]!.metric })
    }
    assert.deepEqual(
      told.map(({ metric }) => metric),
      [broken],
    )
    assert.ok(told[0]!.slot >= 2000 && told[0]!.slot <= 2010, `told at ${told[0]!.slot}`)
  }
})

test('a service without traffic, without readings or with readings that are no numbers is quiet', () => {
  const watch = createServiceWatch({ budgetPerWeek: 100, slotMs, metrics })
  const odd: readonly Record<string, Reading>[] = [
    {},
    { requests: Number.NaN, errors: { events: Number.NaN, exposure: 1 }, latency: Number.POSITIVE_INFINITY },
    { requests: 0, errors: { events: 0, exposure: 0 }, latency: undefined },
    { requests: -5, errors: { events: -1, exposure: 10 }, latency: Number.NaN },
  ]
  for (let slot = 0; slot < 2000; slot++) {
    const verdict = watch.update(odd[slot % odd.length]!, slot * slotMs)
    assert.equal(verdict.alarm, false)
    assert.ok(verdict.pValue > 0.5 && verdict.pValue <= 1)
  }
})

test('missing values teach nothing', () => {
  const random = seededRandom(51)
  const plain = new SeriesWatch({ tier: 'fast' })
  const gappy = new SeriesWatch({ tier: 'fast' })
  for (let slot = 0; slot < 500; slot++) {
    const value = normalVariate(random)
    assert.equal(gappy.update(Number.NaN, slot * slotMs).pValue, 1)
    assert.deepEqual(gappy.update(value, slot * slotMs), plain.update(value, slot * slotMs))
  }
  assert.equal(new SeriesWatch({}).update(5, 0).pValue, 1)
})

test('a level is told only the way it was asked for', () => {
  const last = (direction: 'up' | 'down' | 'both', value: number) => {
    const random = seededRandom(52)
    const watch = new SeriesWatch({ tier: 'fast', direction })
    for (let slot = 0; slot < 1000; slot++) watch.update(normalVariate(random), slot * slotMs)
    return watch.update(value, 1000 * slotMs).pValue
  }
  assert.ok(last('up', 30) < 1e-3 && last('down', -30) < 1e-3)
  assert.ok(last('both', 30) < 1e-3 && last('both', -30) < 1e-3)
  assert.equal(last('up', -30), 1)
  assert.equal(last('down', 30), 1)
})

test('counts: a rate that trebles at a few events a slot is told by their sums', () => {
  const random = seededRandom(53)
  const watch = new CountWatch('up')
  const pValues = Array.from({ length: 2030 }, (_, slot) =>
    watch.update({ events: poissonVariate(random, slot < 2000 ? 2 : 6), exposure: 1 }),
  ).map(({ pValue }) => pValue)
  assert.ok(Math.min(...pValues.slice(2000)) < 1e-4)
  assert.deepEqual(new Set(pValues.slice(0, 30)), new Set([1]))
})

test('counts: events where there never were any are told', () => {
  const watch = new CountWatch('up')
  for (let slot = 0; slot < 500; slot++) assert.ok(watch.update({ events: 0, exposure: 100 }).pValue > 0.1)
  const { pValue, value, reference } = watch.update({ events: 20, exposure: 100 })
  assert.ok(pValue < 1e-9)
  assert.deepEqual([value, reference], [0.2, 0])
})
