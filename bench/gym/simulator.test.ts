import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MeshSpec } from './mesh.ts'
import { Simulation } from './simulator.ts'

const minuteMs = 60_000

function run(spec: MeshSpec, untilMs: number, seed = 1): Simulation {
  const simulation = new Simulation(spec, seed)
  simulation.runUntil(untilMs)
  return simulation
}

function durations({ requests }: Simulation): number[] {
  return Array.from(requests.durationMs.subarray(0, requests.count))
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

const pair: MeshSpec = {
  entries: [{ service: 'web' }],
  load: { ratePerS: 50 },
  services: [
    { name: 'web', work: { medianMs: 2, sigma: 0.4 }, calls: [[{ to: 'store', networkMs: 1 }]] },
    { name: 'store', work: { medianMs: 10, sigma: 0.4 }, workers: 4 },
  ],
}

test('a request takes the work of all that it visits', () => {
  const simulation = run({ ...pair, load: { atMs: [0, 100] }, services: fixed(pair) }, 1000)
  assert.deepEqual(durations(simulation), [13, 13])
})

function fixed(spec: MeshSpec): MeshSpec['services'] {
  return spec.services.map((service) => ({ ...service, work: { medianMs: service.work.medianMs } }))
}

test('one worker with fixed work waits as the formula of Pollaczek and Khinchine says', () => {
  const spec: MeshSpec = {
    entries: [{ service: 'a' }],
    load: { ratePerS: 70 },
    services: [{ name: 'a', work: { medianMs: 10 }, workers: 1 }],
  }
  // M/D/1 at ρ = 0.7: wait = ρ/(2(1−ρ)) × 10 ms.
  assert.ok(Math.abs(meanOf(durations(run(spec, 20 * minuteMs))) - (10 + (0.7 / 0.6) * 10)) < 0.6)
})

test('the same seed gives the same run, another seed another one', () => {
  assert.deepEqual(durations(run(pair, minuteMs, 7)), durations(run(pair, minuteMs, 7)))
  assert.notDeepEqual(durations(run(pair, minuteMs, 7)), durations(run(pair, minuteMs, 8)))
})

test('an intervention leaves the luck of all other requests as it was', () => {
  const plain = run(pair, minuteMs)
  const split = new Simulation(pair, 1)
  split.setCanary('web', { errorShare: 0.5 }, 0.2)
  split.runUntil(minuteMs)
  const before = new Map(durations(plain).map((ms, row) => [plain.requests.arrival[row], ms]))
  let [same, failed] = [0, 0]
  durations(split).forEach((ms, row) => {
    if (split.requests.failed[row] === 1) failed++
    else if (Math.abs(ms - before.get(split.requests.arrival[row])!) < 1e-9) same++
  })
  assert.ok(failed > split.requests.count * 0.07 && failed < split.requests.count * 0.13)
  assert.ok(same > split.requests.count * 0.8)
})

test('a try ends at its time-out, and the callee that works on is counted as abandoned', () => {
  const simulation = run(
    {
      entries: [{ service: 'a' }],
      load: { atMs: [0] },
      services: [
        { name: 'a', work: { medianMs: 1 }, calls: [[{ to: 'b', perTryTimeoutMs: 20 }]] },
        { name: 'b', work: { medianMs: 50 } },
      ],
    },
    1000,
  )
  assert.ok(Math.abs(durations(simulation)[0]! - 21) < 0.001)
  assert.equal(simulation.requests.failed[0], 1)
  assert.deepEqual([...simulation.abandoned], [1])
  assert.equal(simulation.signals('b', 0, 1000)[0]!.latencySumMs, 50)
})

test('an answer at the very moment of the time-out is in time', () => {
  const simulation = run(
    {
      entries: [{ service: 'a', deadlineMs: 50.1 + 0.2 }],
      load: { atMs: [0.1] },
      services: [
        { name: 'a', work: { medianMs: 0.1 }, calls: [[{ to: 'b', perTryTimeoutMs: 50.2 }]] },
        { name: 'b', work: { medianMs: 50.2 } },
      ],
    },
    1000,
  )
  assert.deepEqual([...simulation.abandoned, simulation.requests.failed[0]], [0, 0])
})

test('retries multiply along a chain whose end always fails', () => {
  const call = (to: string) => [[{ to, attempts: 3, backoffMs: 5 }]]
  const simulation = run(
    {
      entries: [{ service: 'a' }],
      load: { atMs: [0] },
      services: [
        { name: 'a', work: { medianMs: 1 }, calls: call('b') },
        { name: 'b', work: { medianMs: 1 }, calls: call('c') },
        { name: 'c', work: { medianMs: 1 }, errorShare: 1 },
      ],
    },
    10_000,
  )
  assert.deepEqual([...simulation.mostTries], [1, 3, 9])
  // Three times (1 + three tries of 1 with 5 and 10 between them), with 5 and 10 between those, and the 1 of a.
  assert.equal(durations(simulation)[0], 1 + 3 * (1 + 3 + 15) + 15)
})

test('transient errors are mended by a retry, sticky ones are not', () => {
  const failures = (isSticky: boolean, attempts: number) => {
    const fault = { service: 'store', fromMs: 0, untilMs: minuteMs, errorShare: 0.2, isSticky }
    const calls = [[{ to: 'store', attempts }]]
    const services = [{ ...pair.services[0]!, calls }, pair.services[1]!]
    const { requests } = run({ ...pair, services, faults: [fault] }, minuteMs)
    return meanOf(Array.from(requests.failed.subarray(0, requests.count)))
  }
  assert.ok(Math.abs(failures(false, 1) - 0.2) < 0.03)
  assert.ok(Math.abs(failures(false, 2) - 0.04) < 0.015)
  assert.ok(Math.abs(failures(true, 2) - 0.2) < 0.03)
})

test('a cache answers popular keys and lets them lapse', () => {
  const load = (cacheTtlMs: number) => {
    const calls = [[{ to: 'store', keys: { count: 500, skew: 1.1 }, cacheTtlMs }]]
    const simulation = run(
      { ...pair, services: [{ ...pair.services[0]!, calls }, pair.services[1]!] },
      minuteMs,
    )
    return simulation.signals('store', 0, minuteMs).reduce((sum, slot) => sum + slot.requests, 0)
  }
  const [none, short, long] = [load(0), load(1000), load(20_000)]
  assert.ok(short < none * 0.85 && long < short * 0.7, `${none} ${short} ${long}`)
})

test('a full queue refuses, and cancelling spares the work that nobody waits for', () => {
  const overloaded = (cancels: boolean) =>
    run(
      {
        cancels,
        entries: [{ service: 'a', deadlineMs: 100 }],
        load: { ratePerS: 300 },
        services: [{ name: 'a', work: { medianMs: 10 }, workers: 2, maxQueue: 100 }],
      },
      20_000,
    )
  const good = ({ requests }: Simulation) => requests.count - requests.failed.reduce((a, b) => a + b, 0)
  // Without cancelling each answer comes too late, since all in front in the queue are dead already.
  assert.ok(good(overloaded(true)) > 2 * good(overloaded(false)))
})

test('a crash refuses requests while it lasts, and the service is back afterwards', () => {
  const faults = [{ service: 'store', fromMs: 10_000, untilMs: 20_000, workers: 0 }]
  const simulation = run({ ...pair, faults }, 30_000)
  const share = (fromMs: number) => {
    const slots = simulation.signals('web', fromMs, fromMs + 8000)
    const sum = (field: 'errors' | 'requests') => slots.reduce((total, slot) => total + slot[field], 0)
    return sum('errors') / sum('requests')
  }
  assert.deepEqual([share(1000), share(11_000), share(21_000)], [0, 1, 0])
})

test('a worker that waits for its callees makes a slow callee the bound of its caller', () => {
  const spec = (holdsWorker: boolean): MeshSpec => ({
    entries: [{ service: 'a' }],
    load: { ratePerS: 50 },
    services: [
      { name: 'a', work: { medianMs: 1 }, workers: 2, holdsWorker, calls: [[{ to: 'b' }]] },
      { name: 'b', work: { medianMs: 60 } },
    ],
  })
  assert.ok(meanOf(durations(run(spec(false), 10_000))) < 65)
  assert.ok(meanOf(durations(run(spec(true), 10_000))) > 500)
})

test('a promoted canary serves all, and both versions are counted while it is one', () => {
  const simulation = new Simulation(pair, 3)
  simulation.setCanary('store', { workFactor: 0.5 }, 0.25)
  simulation.runUntil(minuteMs)
  const [stable, canary] = simulation.armsOf('store')
  assert.ok(Math.abs(canary.requests / (canary.requests + stable.requests) - 0.25) < 0.03)
  assert.ok(canary.latencySumMs / canary.requests < (0.6 * stable.latencySumMs) / stable.requests)
  simulation.promote('store')
  simulation.runUntil(2 * minuteMs)
  const after = simulation.signals('store', 70_000, 110_000)
  const mean =
    after.reduce((sum, slot) => sum + slot.latencySumMs, 0) / after.reduce((sum, s) => sum + s.requests, 0)
  assert.ok(mean < 7)
})

test('load follows the day and the surges', () => {
  const load = {
    ratePerS: 100,
    daily: { amplitude: 0.5, periodMs: 40_000 },
    surges: [{ fromMs: 40_000, untilMs: 50_000, factor: 3 }],
  }
  const simulation = run({ ...pair, load }, minuteMs)
  const arrivals = (fromMs: number, untilMs: number) =>
    simulation.requests.startMs
      .subarray(0, simulation.requests.count)
      .filter((ms) => ms >= fromMs && ms < untilMs).length
  assert.ok(arrivals(5000, 15_000) > 2.4 * arrivals(25_000, 35_000))
  assert.ok(arrivals(45_000, 50_000) > 2.3 * arrivals(5000, 10_000))
})

test('no load and no time give empty signals', () => {
  const simulation = run({ ...pair, load: { atMs: [] } }, 5000)
  assert.equal(simulation.requests.count, 0)
  assert.equal(simulation.signals('web', 0, 5000).length, 5)
  assert.equal(simulation.edgeSignals(0, 0, 5000)[0]!.requests, 0)
})
