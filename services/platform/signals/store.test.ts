import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../eventually.testing.ts'
import { SampleStore, TooManySeriesError } from './store.ts'
import type { ExposedSample } from './text-format.ts'

const all = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER }
const wide = { retentionMs: 1_000_000, maxSeries: 1_000, maxChanges: 1_000_000 }

function exposed(values: Record<string, number>): ExposedSample[] {
  return Object.entries(values).map(([l, value]) => ({ name: 'm', labels: { l }, value }))
}

function values(store: SampleStore, l: string, window = all): [number, number][] {
  const found = store.series({ metric: 'm', labels: { l }, ...window })
  return found.flatMap(({ samples }) => samples.map(({ atMs, value }): [number, number] => [atMs, value]))
}

test('a series has a sample for each scrape in which it was there, changed or not', () => {
  const store = new SampleStore(wide)
  store.add('a:1', 10, exposed({ x: 1 }))
  store.add('a:1', 20, exposed({ x: 1, y: 5 }))
  store.add('a:1', 30, undefined)
  store.add('a:1', 40, exposed({ y: 5 }))
  store.add('a:1', 50, exposed({ x: 2, y: 6 }))
  assert.deepEqual(values(store, 'x'), [
    [10, 1],
    [20, 1],
    [50, 2],
  ])
  assert.deepEqual(values(store, 'y'), [
    [20, 5],
    [40, 5],
    [50, 6],
  ])
  const [up] = store.series({ metric: 'up', labels: { instance: 'a:1' }, ...all })
  assert.deepEqual(
    up?.samples.map(({ value }) => value),
    [1, 1, 0, 1, 1],
  )
})

test('windows include both their ends and spell out what stood before them', () => {
  const store = new SampleStore(wide)
  for (let atMs = 10; atMs <= 100; atMs += 10) store.add('a:1', atMs, exposed({ x: atMs < 50 ? 1 : 2 }))
  assert.deepEqual(values(store, 'x', { startMs: 30, endMs: 60 }), [
    [30, 1],
    [40, 1],
    [50, 2],
    [60, 2],
  ])
  assert.deepEqual(values(store, 'x', { startMs: 61, endMs: 69 }), [])
  assert.deepEqual(values(store, 'x', { startMs: 95, endMs: 500 }), [[100, 2]])
})

test('labels must equal, an empty wanted value means absent, and targets are told apart', () => {
  const store = new SampleStore(wide)
  store.add('a:1', 10, [{ name: 'm', labels: { instance: 'own', l: 'x' }, value: 1 }])
  store.add('b:1', 10, [{ name: 'm', labels: { l: 'x', extra: '1' }, value: 2 }])
  const find = (labels: Record<string, string>) =>
    store.series({ metric: 'm', labels, ...all }).map(({ labels }) => labels)
  assert.deepEqual(find({ l: 'x' }).length, 2)
  assert.deepEqual(find({ l: 'x', extra: '' }), [{ l: 'x', exported_instance: 'own', instance: 'a:1' }])
  assert.deepEqual(find({ instance: 'b:1' }), [{ l: 'x', extra: '1', instance: 'b:1' }])
  assert.deepEqual(find({ l: 'z' }), [])
})

test('it gives what a plain list of samples would, through forgetting and vanishing, for random histories', () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seededRandom(seed)
    const store = new SampleStore({ ...wide, retentionMs: 300 })
    const plain = new Map<string, [number, number][]>()
    for (let atMs = 10; atMs <= 2_000; atMs += 10) {
      const down = random() < 0.1
      const present = ['x', 'y', 'z'].filter(() => random() < 0.8)
      const shown = Object.fromEntries(present.map((l) => [l, Math.floor(random() * 3)]))
      store.add('a:1', atMs, down ? undefined : exposed(shown))
      if (!down) for (const l of present) plain.set(l, [...(plain.get(l) ?? []), [atMs, shown[l] ?? 0]])
      const window = { startMs: atMs - Math.floor(random() * 300), endMs: atMs - Math.floor(random() * 50) }
      for (const [l, list] of plain) {
        const expected = list.filter(([at]) => at >= window.startMs && at <= window.endMs)
        assert.deepEqual(values(store, l, window), expected, `seed ${seed} at ${atMs}`)
      }
    }
  }
})

test('memory stays bounded: old samples go, ended series go, and too much change shortens the past', () => {
  const store = new SampleStore({ retentionMs: 1_000, maxSeries: 1_000, maxChanges: 5_000 })
  for (let scrape = 1; scrape <= 2_000; scrape += 1) {
    store.add('a:1', scrape * 10, exposed({ x: scrape, [`pod-${Math.floor(scrape / 50)}`]: scrape }))
    assert.ok(store.size.series <= 8, `${store.size.series} series`)
    assert.ok(store.size.changes <= 400, `${store.size.changes} changes`)
  }
  const busy = new SampleStore({ retentionMs: 1_000_000, maxSeries: 1_000, maxChanges: 5_000 })
  for (let scrape = 1; scrape <= 1_000; scrape += 1) {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`s${index}`, scrape]))
    busy.add('a:1', scrape * 10, exposed(many))
    assert.ok(busy.size.changes <= 5_000)
  }
  const kept = values(busy, 's0')
  assert.ok(kept.length >= 30, `${kept.length} samples`)
  assert.deepEqual(kept.at(-1), [10_000, 1_000])
})

test('a scrape with too many series is dropped whole, and what was there stays', () => {
  const store = new SampleStore({ ...wide, maxSeries: 4 })
  store.add('a:1', 10, exposed({ x: 1 }))
  const many = Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`s${index}`, 1]))
  assert.throws(() => store.add('a:1', 20, exposed(many)), TooManySeriesError)
  store.add('a:1', 20, undefined)
  assert.deepEqual(values(store, 's0'), [])
  const [up] = store.series({ metric: 'up', labels: {}, ...all })
  assert.equal(up?.samples.at(-1)?.value, 0)
})

test('a clock that goes back leaves samples in order', () => {
  const store = new SampleStore(wide)
  for (const atMs of [10, 20, 15, 20, 30]) store.add('a:1', atMs, exposed({ x: atMs }))
  assert.deepEqual(values(store, 'x'), [
    [10, 10],
    [20, 20],
    [30, 30],
  ])
})
