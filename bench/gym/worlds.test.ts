import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../services/platform/statistics/random.ts'
import { amplificationOf, waysTo } from './amplification.ts'
import { kinds } from './kinds.ts'
import { consult } from './oracle.ts'
import { Simulation } from './simulator.ts'
import { drawMesh, edgesOf, medianOfTree, reachedFrom } from './topology.ts'
import { drawWorld } from './world.ts'

/** A seed of development whose world is of that kind. */
function seedOf(kind: string): number {
  const index = kinds.findIndex(({ name }) => name === kind)
  return 2000 - (2000 % kinds.length) + index
}

test('a mesh has twenty services, each with a caller, and answers well within the promise', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const mesh = drawMesh(seededRandom(seed))
    const reached = mesh.entries.flatMap(({ service }) => [...reachedFrom(mesh, service)])
    assert.equal(new Set(reached).size, 20)
    for (const { service } of mesh.entries) assert.ok(medianOfTree(mesh, service) < 250)
  }
})

test('a seed gives one world, and kinds take turns', () => {
  assert.deepEqual(drawWorld(17), drawWorld(17))
  assert.notDeepEqual(drawWorld(17).spec, drawWorld(17 + kinds.length).spec)
  const drawn = Array.from({ length: kinds.length }, (_, seed) => drawWorld(seed).kind)
  assert.deepEqual(
    drawn,
    kinds.map(({ name }) => name),
  )
})

test('the same interventions are at hand at each edge, by names that tell them apart', () => {
  for (let seed = 0; seed < 40; seed++) {
    const { interventions, spec } = drawWorld(seed)
    assert.equal(new Set(interventions.map(({ name }) => name)).size, interventions.length)
    const edges = new Set(edgesOf(spec).map(({ caller, callee }) => `${caller} → ${callee}`))
    for (const { edge } of interventions) assert.ok(edges.has(`${edge.caller} → ${edge.callee}`))
  }
})

test('the oracle leaves a healthy world alone', () => {
  const { best, nothing, valued } = consult(drawWorld(seedOf('healthy')))
  assert.equal(best.intervention, undefined)
  assert.equal(nothing.late, 0)
  // Each change costs its upkeep and spares nothing.
  assert.ok(valued.slice(1).every(({ value }) => value < 0))
})

test('the oracle retries transient errors and caches what is popular', () => {
  for (const [kind, expected] of [
    ['transient errors', 'add_retry'],
    ['hot, popular keys', 'enable_caching'],
    ['stalls, optional', 'add_timeout'],
  ] as const) {
    const { best } = consult(drawWorld(seedOf(kind)))
    assert.equal(best.intervention?.kind, expected)
    assert.ok(best.value > 0)
  }
})

test('the oracle does not ship what is defective', () => {
  assert.equal(consult(drawWorld(seedOf('defect: errors'))).best.intervention, undefined)
})

test('a run that begins late meets the same clients with the same luck', () => {
  const { spec } = drawWorld(seedOf('healthy'))
  const whole = new Simulation(spec, 4)
  const late = new Simulation(spec, 4, 20_000)
  for (const each of [whole, late]) each.runUntil(30_000)
  const durations = ({ requests }: Simulation) =>
    new Map(
      Array.from({ length: requests.count }, (_, row) => [requests.arrival[row], requests.durationMs[row]]),
    )
  const expected = durations(whole)
  const found = durations(late)
  assert.ok(found.size > 500)
  for (const [arrival, durationMs] of found) assert.ok(Math.abs(durationMs! - expected.get(arrival)!) < 1e-6)
})

test('retries multiply along a way, and ways to a service are counted', () => {
  const call = (to: string, attempts = 1) => [{ to, attempts }]
  const spec = {
    entries: [{ service: 'a' }],
    load: { atMs: [] },
    services: [
      { name: 'a', work: { medianMs: 1 }, calls: [call('b', 3), call('c')] },
      { name: 'b', work: { medianMs: 1 }, calls: [call('d', 2)] },
      { name: 'c', work: { medianMs: 1 }, calls: [call('d')] },
      { name: 'd', work: { medianMs: 1 } },
    ],
  }
  assert.equal(amplificationOf(spec), 6)
  assert.equal(waysTo(spec).get('d'), 2)
  const edge = { caller: 'c', callee: 'd' }
  const policy = { attempts: 9 }
  const change = { name: 'x', kind: 'add_retry', edge, policy, trial: {}, shipped: {} } as const
  assert.equal(amplificationOf(spec, change), 9)
})
