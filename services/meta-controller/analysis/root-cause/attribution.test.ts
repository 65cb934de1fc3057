import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom, shuffled } from '../../../platform/statistics/random.ts'
import { attribute } from './attribution.ts'
import type { Load, Period } from './load.ts'
import { type MadeMesh, madePeriod, steady } from './mesh.testing.ts'
import { learnNormal } from './normal.ts'

const question = { target: 'A', mass: 'latency' } as const
const pair = (a: Load[], b: Load[]): Period => ({
  services: [
    { service: 'A', slots: a },
    { service: 'B', slots: b },
  ],
  calls: [{ caller: 'A', service: 'B' }],
})

const shop: MadeMesh = {
  front: { ownMs: 10, calls: ['cart', 'search'] },
  cart: { ownMs: 15, calls: ['stock', 'prices'] },
  search: { ownMs: 20, calls: ['stock'] },
  stock: { ownMs: 12 },
  prices: { ownMs: 8 },
}
const entries = { front: 80, search: 40 }

test('the callee that holds the time is the culprit, as in the example', () => {
  const usual = pair(steady(100, 10, 60), steady(100, 10, 60))
  const normal = learnNormal(usual, { ...question, windowSlots: 10 })
  const now = attribute(pair(steady(100, 110, 10), steady(100, 105, 10)), question, normal)
  assert.equal(now.culprit, 'B')
  assert.ok(Math.abs(now.causes[0]!.share - 0.95) < 1e-9)
  assert.ok(Math.abs(now.excess - 0.1) < 1e-9)
  assert.ok(now.pValue < 0.05)
  assert.match(now.remark, /^B has 95 % of the added time of A, 95\.0 ms a request, .* standard deviations/)
})

test('each service of a mesh is found when it slows down or fails, with or without telemetry of the edges', () => {
  for (const isGraphOnly of [false, true])
    for (const mass of ['latency', 'errors'] as const)
      for (const [index, service] of Object.keys(shop).entries()) {
        const random = seededRandom(100 + index)
        const asked = { target: 'front', mass, isPerRequest: true }
        const usual = madePeriod(shop, { random, slots: 120, entries, isGraphOnly })
        const bad =
          mass === 'latency'
            ? { ownMs: shop[service]!.ownMs * 4 }
            : { ownMs: shop[service]!.ownMs, failureShare: 0.1 }
        const broken = { ...shop, [service]: { ...shop[service]!, ...bad } }
        const window = madePeriod(broken, { random, slots: 20, entries, isGraphOnly })
        const found = attribute(window, asked, learnNormal(usual, { ...asked, windowSlots: 20 }))
        assert.equal(found.culprit, service, `${mass} ${isGraphOnly} ${found.remark}`)
      }
})

test('on normal periods that were never seen hardly anybody is accused', () => {
  const asked = { target: 'front', mass: 'latency', isPerRequest: true } as const
  let accused = 0
  const worlds = 60
  for (let seed = 0; seed < worlds; seed++) {
    const random = seededRandom(seed)
    const normal = learnNormal(madePeriod(shop, { random, slots: 90, entries }), {
      ...asked,
      windowSlots: 10,
    })
    const found = attribute(madePeriod(shop, { random, slots: 10, entries }), asked, normal)
    if (found.culprit !== undefined) accused++
  }
  assert.ok(accused <= 0.05 * worlds, `${accused} of ${worlds}`)
})

test('twice the traffic accuses nobody where masses are held against normal per request', () => {
  const random = seededRandom(7)
  const asked = { target: 'front', mass: 'latency', isPerRequest: true } as const
  const usual = madePeriod(shop, { random, slots: 120, entries })
  const window = madePeriod(shop, { random, slots: 20, entries: { front: 160, search: 80 } })
  assert.equal(attribute(window, asked, learnNormal(usual, { ...asked, windowSlots: 20 })).culprit, undefined)
})

test('what nobody out of the ordinary holds is unexplained, and said so', () => {
  const noisy = Array.from({ length: 60 }, (_, slot) => ({
    requests: 100,
    failures: 0,
    requestSeconds: slot % 2 === 0 ? 0.2 : 1.8,
  }))
  const normal = learnNormal(pair(noisy, noisy), { ...question, windowSlots: 5 })
  const now = attribute(pair(noisy.slice(0, 4), noisy.slice(0, 4)), question, normal)
  assert.equal(now.culprit, undefined)
  assert.equal(now.unexplainedShare, 1)
  assert.match(now.remark, /no culprit stands out; 100 % is unexplained$/)
})

test('without a normal period the time itself is shared out, and a culprit named only if a promise is broken', () => {
  const window = pair(steady(100, 110, 10), steady(100, 105, 10))
  const broken = attribute(window, { ...question, isViolated: true })
  assert.equal(broken.culprit, 'B')
  assert.ok(Math.abs(broken.causes[0]!.share - 105 / 110) < 1e-9)
  assert.match(broken.remark, /^B has 95 % of the time of A, 105 ms a request$/)
  assert.equal(broken.pValue, 1)
  assert.equal(attribute(window, question).culprit, undefined)
})

test('empty, absent, idle and unmeasured telemetry has defined answers', () => {
  const normal = learnNormal(pair(steady(100, 10, 60), steady(100, 10, 60)), { ...question, windowSlots: 5 })
  const nothing = attribute({ services: [], calls: [] }, question, normal)
  assert.deepEqual([nothing.causes, nothing.culprit, nothing.excess], [[], undefined, 0])
  assert.match(nothing.remark, /^A has no requests/)
  for (const slots of [
    [],
    steady(0, 0, 5),
    steady(Number.NaN, 1, 5),
    steady(-1, 1, 5),
    steady(1, Infinity, 5),
  ])
    assert.deepEqual(attribute(pair(slots, steady(100, 900, 5)), question, normal).causes, [])
  const one = attribute(pair(steady(100, 200, 1), steady(100, 195, 1)), question, normal)
  assert.equal(one.culprit, 'B')
  assert.equal(attribute(pair(steady(100, 10, 5), steady(100, 10, 5)), question, normal).culprit, undefined)
  const holes = steady(100, 200, 5).map((load, slot) =>
    slot === 2 ? { ...load, requestSeconds: Number.NaN } : load,
  )
  assert.equal(attribute(pair(holes, steady(100, 195, 5)), question, normal).culprit, 'B')
})

test('a million slots are judged by their latest, in bounded time', () => {
  const long = steady(100, 10, 1_000_000)
  const before = process.cpuUsage()
  const normal = learnNormal(pair(long, long), { ...question, windowSlots: 5 })
  assert.equal(attribute(pair(steady(100, 200, 5), steady(100, 195, 5)), question, normal).culprit, 'B')
  const { user } = process.cpuUsage(before)
  assert.ok(user < 5e6, `${user} µs`)
})

test('the order of services and calls, and the unit of requests, change nothing', () => {
  for (let seed = 0; seed < 10; seed++) {
    const random = seededRandom(seed)
    const asked = { target: 'front', mass: 'latency' } as const
    const usual = madePeriod(shop, { random, slots: 60, entries })
    const window = madePeriod({ ...shop, stock: { ownMs: 30 } }, { random, slots: 10, entries })
    const judge = (of: (period: Period) => Period) =>
      attribute(of(window), asked, learnNormal(of(usual), { ...asked, windowSlots: 10 }))
    const plain = judge((period) => period)
    const mixed = judge(({ services, calls }) => ({
      services: shuffled(services, seededRandom(1)),
      calls: shuffled(calls, seededRandom(2)),
    }))
    assert.equal(mixed.culprit, plain.culprit)
    assert.ok(Math.abs(mixed.evidence - plain.evidence) < 1e-9)
    const tripled = judge(({ services, calls }) => ({
      services: services.map((one) => ({ ...one, slots: one.slots.map(threefold) })),
      calls: calls.map((one) => ({ ...one, ...(one.slots && { slots: one.slots.map(threefold) }) })),
    }))
    assert.ok(Math.abs(tripled.causes[0]!.share - plain.causes[0]!.share) < 1e-9)
  }
})

function threefold({ requests, failures, requestSeconds }: Load): Load {
  return { requests: 3 * requests, failures: 3 * failures, requestSeconds: 3 * requestSeconds }
}

test('shares lie between 0 and 1 and the causes are ranked, whatever the numbers', () => {
  const random = seededRandom(11)
  const names = ['A', 'B', 'C', 'D', 'E']
  for (let round = 0; round < 200; round++) {
    const load = (): Load => ({
      requests: random() < 0.1 ? 0 : Math.floor(random() * 50),
      failures: Math.floor(random() * 5),
      requestSeconds: random() < 0.05 ? Number.NaN : random() * 1000 ** random(),
    })
    const period = (slots: number): Period => ({
      services: names.map((service) => ({ service, slots: Array.from({ length: slots }, load) })),
      calls: names.flatMap((caller) =>
        names.filter(() => random() < 0.3).map((service) => ({ caller, service })),
      ),
    })
    const mass = random() < 0.5 ? 'latency' : 'errors'
    const normal = learnNormal(period(30), { target: 'A', mass, windowSlots: 5 })
    const found = attribute(period(1 + (round % 20)), { target: 'A', mass, isViolated: true }, normal)
    for (const { share, deviation } of found.causes) {
      assert.ok(share >= 0 && share <= 1)
      assert.ok(Number.isFinite(deviation))
    }
    assert.ok(found.unexplainedShare >= 0 && found.unexplainedShare <= 1)
    assert.ok(found.pValue > 0 && found.pValue <= 1)
    if (found.culprit !== undefined) assert.equal(found.culprit, found.causes[0]?.service)
  }
})
