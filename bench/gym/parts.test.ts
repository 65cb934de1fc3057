import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../services/platform/statistics/random.ts'
import { mix, normalOf, popularityOf, rankOf, uniformOf } from './draws.ts'
import { EventHeap } from './event-heap.ts'
import { confoundedLog, honestLog, readLog } from './log.ts'

test('events come by time, whatever order they were put in', () => {
  const random = seededRandom(5)
  const heap = new EventHeap()
  const times = Array.from({ length: 5000 }, () => random() * 1000)
  times.forEach((atMs, index) => void heap.push(atMs, index % 8, index, index + 7))
  let last = 0
  for (let count = 0; heap.pop(); count++) {
    assert.ok(heap.atMs >= last)
    assert.deepEqual(
      [times[heap.thing], heap.kind, heap.generation],
      [heap.atMs, heap.thing % 8, heap.thing + 7],
    )
    last = heap.atMs
    assert.equal(heap.size, times.length - count - 1)
  }
  assert.equal(heap.nextMs, Infinity)
})

test('an empty heap gives nothing', () => {
  assert.equal(new EventHeap().pop(), false)
})

test('looked-up numbers are spread as drawn ones are, and depend on key and purpose alone', () => {
  const values = Array.from({ length: 20_000 }, (_, key) => uniformOf(mix(7, key), 3))
  const mean = values.reduce((a, b) => a + b) / values.length
  const neighbours = values
    .slice(1)
    .reduce((sum, value, index) => sum + (value - 0.5) * (values[index]! - 0.5), 0)
  assert.ok(Math.abs(mean - 0.5) < 0.01)
  assert.ok(Math.abs(neighbours / values.length) < 0.003)
  assert.equal(uniformOf(mix(7, 12), 3), values[12])
  assert.notEqual(uniformOf(mix(7, 12), 4), values[12])
  const normals = values.map((_, key) => normalOf(mix(9, key), 1))
  const variance = normals.reduce((sum, value) => sum + value ** 2, 0) / normals.length
  assert.ok(Math.abs(variance - 1) < 0.05)
})

test('popularity gives each rank its share', () => {
  const popularity = popularityOf(3, 1)
  // 1, 1/2 and 1/3 of 11/6.
  assert.deepEqual(
    [0.5, 0.6, 0.9].map((u) => rankOf(popularity, u)),
    [0, 1, 2],
  )
  assert.equal(rankOf(popularityOf(10, 0), 0.35), 3)
})

test('a log of switching by lot is believed, one with a hidden cause is not', () => {
  let [believed, fooled] = [0, 0]
  for (let seed = 1; seed <= 4; seed++) {
    if (readLog(honestLog(seededRandom(seed)), seed).trusted !== undefined) believed++
    if (readLog(confoundedLog(seededRandom(seed)), seed).trusted !== undefined) fooled++
  }
  assert.ok(believed >= 3, `${believed} of 4 believed`)
  assert.equal(fooled, 0)
})
