import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../eventually.testing.ts'
import { edgesOf } from './edges.ts'
import { durationMetric, goldenSignals, requestsMetric, sumSlots, versionsOf } from './golden.ts'
import { quantileOf } from './histogram.ts'
import type { SignalSource } from './signals.ts'
import { SampleStore } from './store.ts'
import type { ExposedSample } from './text-format.ts'

const base = {
  reporter: 'destination',
  request_protocol: 'grpc',
  destination_service_name: 'shop',
  destination_service_namespace: 'default',
  source_workload: 'web',
}

/** A source that is scraped by hand, every second in the middle of the second, as the embedded one is. */
function handScraped(instance = 'a:1') {
  const store = new SampleStore({ retentionMs: 10_000_000, maxSeries: 10_000, maxChanges: 10_000_000 })
  const source: SignalSource = { series: async (query) => store.series(query), close: async () => {} }
  const scrape = (second: number, samples: ExposedSample[] | undefined, at = instance) =>
    store.add(at, second * 1_000 + 500, samples)
  return { source, scrape }
}

const requests = (value: number, labels: Record<string, string> = {}): ExposedSample => ({
  name: requestsMetric,
  labels: { ...base, grpc_response_status: '0', ...labels },
  value,
})

function durations(counts: Record<string, number>, labels: Record<string, string> = {}): ExposedSample[] {
  return Object.entries(counts).map(([le, value]) => ({
    name: durationMetric,
    labels: { ...base, ...labels, le },
    value,
  }))
}

const slots = (source: SignalSource, from: number, to: number, extra: object = {}) =>
  goldenSignals(source, {
    service: 'shop',
    startMs: from * 1_000,
    endMs: to * 1_000,
    slotMs: 1_000,
    ...extra,
  })

test('counts per slot, status and latency come from the differences of the counters', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 10; second += 1) {
    scrape(second, [
      requests(100 + second * 7),
      requests(second * 2, { grpc_response_status: '14' }),
      requests(second, { grpc_response_status: '5' }),
      ...durations({ 1: second * 4, 10: second * 9, '+Inf': 100 + second * 10 }),
    ])
  }
  const signals = await slots(source, 3, 6)
  assert.equal(signals.length, 3)
  for (const [index, slot] of signals.entries()) {
    assert.deepEqual(slot, {
      startMs: 3_000 + index * 1_000,
      endMs: 4_000 + index * 1_000,
      covered: true,
      requests: 10,
      errors: 2,
      requestsByStatus: { 0: 7, 5: 1, 14: 2 },
      latency: { upperBoundsMs: [1, 10], counts: [4, 5, 1] },
    })
  }
  const sum = sumSlots(signals)
  assert.deepEqual(
    [sum?.requests, sum?.errors, sum?.covered, sum?.startMs, sum?.endMs],
    [30, 6, true, 3_000, 6_000],
  )
  assert.equal(quantileOf(sum?.latency ?? { upperBoundsMs: [], counts: [] }, 0.4), 1)
})

test('a request is an error or not by its gRPC status, as the canary query has it; without a status it is one', async () => {
  const { source, scrape } = handScraped()
  const statuses = [...Array(17).keys()].map(String).concat('', 'OK')
  for (let second = 0; second <= 3; second += 1) {
    scrape(
      second,
      statuses.map((status) => requests(second, { grpc_response_status: status })),
    )
  }
  const [slot] = await slots(source, 2, 3)
  // 2, 4, 12, 13, 14, 15; and the two without a number, which count as 2.
  assert.deepEqual([slot?.requests, slot?.errors, slot?.requestsByStatus[2]], [19, 8, 3])
})

test('a counter that restarts counts from 0, and its first values are not lost', async () => {
  const { source, scrape } = handScraped()
  for (const [second, value] of [50, 60, 4, 9].entries()) scrape(second, [requests(value)])
  assert.deepEqual(
    (await slots(source, 1, 4)).map((slot) => slot.requests),
    [10, 4, 5],
  )
})

test('the first error of a kind counts, though its series was not there before', async () => {
  const { source, scrape } = handScraped()
  scrape(0, [requests(10)])
  scrape(1, [requests(20)])
  scrape(2, [requests(29), requests(1, { grpc_response_status: '13' })])
  scrape(3, [requests(39)])
  scrape(4, [requests(49), requests(3, { grpc_response_status: '13' })])
  assert.deepEqual(
    (await slots(source, 1, 5)).map((slot) => slot.errors),
    [0, 1, 0, 3],
  )
})

test('what a counter held when it was first seen is not counted', async () => {
  const { source, scrape } = handScraped()
  for (let second = 5; second <= 8; second += 1) scrape(second, [requests(1_000 + second)])
  const signals = await slots(source, 4, 9)
  assert.deepEqual(
    signals.map((slot) => slot.requests),
    [0, 0, 1, 1, 1],
  )
  assert.deepEqual(
    signals.map((slot) => slot.covered),
    [false, false, true, true, true],
  )
})

test('missed scrapes are a gap, not zero, and no request is lost or counted twice over it', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 10; second += 1) {
    scrape(second, [4, 5].includes(second) ? undefined : [requests(second * 10)])
  }
  const signals = await slots(source, 1, 10)
  assert.deepEqual(
    signals.map((slot) => slot.covered),
    [true, true, true, false, false, false, true, true, true],
  )
  assert.equal(
    signals.reduce((sum, slot) => sum + slot.requests, 0),
    90,
  )
})

test('one missed scrape within a long slot does no harm', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 61; second += 1)
    scrape(second, second === 30 ? undefined : [requests(second * 10)])
  const [slot] = await slots(source, 1, 61, { slotMs: 60_000 })
  assert.deepEqual([slot?.covered, slot?.requests], [true, 600])
})

test('a target that goes away leaves a gap, even while another is still there', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 6; second += 1) {
    scrape(second, [requests(second * 10)], 'a:1')
    scrape(second, second > 3 ? undefined : [requests(second * 5)], 'b:1')
  }
  const signals = await slots(source, 1, 6)
  assert.deepEqual(
    signals.map((slot) => [slot.covered, slot.requests]),
    [
      [true, 15],
      [true, 15],
      [true, 15],
      [false, 10],
      [false, 10],
    ],
  )
})

test('a pod that comes and one that is taken away leave no gap', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 9; second += 1) {
    scrape(second, [requests(second * 10)], 'stays:1')
    if (second < 4) scrape(second, [requests(second)], 'goes:1')
    if (second > 5) scrape(second, [requests(second)], 'comes:1')
  }
  const signals = await slots(source, 1, 9)
  assert.ok(signals.every(({ covered }) => covered))
  assert.deepEqual(
    signals.map((slot) => slot.requests),
    [11, 11, 11, 10, 10, 10, 11, 11],
  )
})

test('no series at all is not "no traffic"; a series that stands still is', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 3; second += 1) scrape(second, [requests(10)])
  assert.deepEqual(
    (await slots(source, 1, 3)).map(({ covered, requests: count }) => [covered, count]),
    [
      [true, 0],
      [true, 0],
    ],
  )
  assert.ok((await slots(source, 1, 3, { service: 'other' })).every(({ covered }) => !covered))
  assert.ok((await slots(source, 1, 3, { version: 'canary' })).every(({ covered }) => !covered))
})

test('adjoining windows add up to the whole, whatever the slots, for random counters', async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const random = seededRandom(seed)
    const { source, scrape } = handScraped()
    let value = 0
    for (let second = 0; second <= 40; second += 1) {
      value = random() < 0.1 ? 0 : value + Math.floor(random() * 20)
      scrape(second, random() < 0.1 ? undefined : [requests(value)])
    }
    const total = async (from: number, to: number, slotMs: number) =>
      (await slots(source, from, to, { slotMs })).reduce((sum, slot) => sum + slot.requests, 0)
    const cut = 5 + Math.floor(random() * 30)
    const whole = await total(2, 40, 1_000)
    assert.equal((await total(2, cut, 700)) + (await total(cut, 40, 3_000)), whole, `seed ${seed}`)
  }
})

test('histograms of targets with other buckets are summed over the bounds that they share', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 2; second += 1) {
    scrape(second, [requests(second), ...durations({ 1: second, 10: 2 * second, '+Inf': 3 * second })], 'a:1')
    scrape(second, [requests(second), ...durations({ 5: second, 10: 5 * second, '+Inf': 6 * second })], 'b:1')
  }
  const [slot] = await slots(source, 1, 2)
  assert.deepEqual(slot?.latency, { upperBoundsMs: [10], counts: [7, 2] })
})

test('version, method, namespace and caller narrow; the caller’s side and other protocols are left out', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 2; second += 1) {
    scrape(second, [
      requests(second, { rollouts_pod_template_hash: 'stable', grpc_method: 'Get' }),
      requests(second * 10, { rollouts_pod_template_hash: 'canary', grpc_method: 'List' }),
      requests(second * 100, { destination_service_namespace: 'elsewhere', source_workload: 'till' }),
      requests(second * 1_000, { reporter: 'source' }),
      requests(second * 1_000, { request_protocol: 'http' }),
    ])
  }
  const count = async (extra: object) => (await slots(source, 1, 2, extra))[0]?.requests
  assert.equal(await count({}), 111)
  assert.equal(await count({ namespace: 'default' }), 11)
  assert.equal(await count({ version: 'canary' }), 10)
  assert.equal(await count({ method: 'Get' }), 1)
  assert.equal(await count({ caller: 'till' }), 100)
  assert.deepEqual(
    await versionsOf(source, { service: 'shop', namespace: 'default', startMs: 1_000, endMs: 2_000 }),
    [
      { version: 'canary', requests: 10 },
      { version: 'stable', requests: 1 },
    ],
  )
})

test('edges are callers and called with their requests and errors', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 3; second += 1) {
    scrape(second, [
      requests(second * 2),
      requests(second, { grpc_response_status: '14' }),
      requests(5, { source_workload: 'idle' }),
      requests(second, { destination_service_name: 'prices', source_workload: 'shop' }),
    ])
  }
  const namespace = 'default'
  assert.deepEqual(await edgesOf(source, { startMs: 1_000, endMs: 3_000 }), [
    { caller: 'idle', service: 'shop', namespace, requests: 0, errors: 0 },
    { caller: 'shop', service: 'prices', namespace, requests: 2, errors: 0 },
    { caller: 'web', service: 'shop', namespace, requests: 6, errors: 2 },
  ])
})

test('a window without slots, or with too many, is refused', async () => {
  const { source } = handScraped()
  await assert.rejects(slots(source, 2, 2), RangeError)
  await assert.rejects(slots(source, 3, 2), RangeError)
  await assert.rejects(slots(source, 1, 2, { slotMs: 0 }), RangeError)
  await assert.rejects(slots(source, 0, 100_000), RangeError)
})

test('an hour of 200 series at one second is read within a tenth of a second', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second < 3_600; second += 1) {
    const samples: ExposedSample[] = []
    for (let pod = 0; pod < 10; pod += 1) {
      const labels = { rollouts_pod_template_hash: `v${pod}` }
      samples.push(requests(second * pod, labels))
      samples.push(
        ...durations(
          Object.fromEntries(Array.from({ length: 19 }, (_, le) => [le + 1, second * le])),
          labels,
        ),
      )
    }
    scrape(second, samples)
  }
  await slots(source, 3_500, 3_560)
  const began = performance.now()
  const signals = await slots(source, 3_500, 3_560)
  assert.equal(signals.length, 60)
  const tookMs = performance.now() - began
  assert.ok(tookMs < 100, `it took ${tookMs} ms`)
})

test('samples that came without scrapes, by remote write, are their own proof of coverage', async () => {
  const { source, scrape } = handScraped()
  for (let second = 0; second <= 6; second += 1) if (second !== 3) scrape(second, [requests(second * 10)])
  const written: SignalSource = {
    series: async (query) => (query.metric === 'up' ? [] : source.series(query)),
    close: async () => {},
  }
  const signals = await slots(written, 1, 6)
  assert.deepEqual(
    signals.map(({ covered, requests: count }) => [covered, count]),
    [
      [true, 10],
      [true, 10],
      [false, 0],
      [false, 20],
      [true, 10],
    ],
  )
})
