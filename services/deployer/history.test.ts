import assert from 'node:assert/strict'
import { test } from 'node:test'
import { History } from './history.ts'
import { judgeBoundsMs } from './splitter/bounds.ts'
import type { SplitterCounts } from './splitter/control.ts'

/** What the splitter says of two versions that have had so many requests. */
function counts(requests: Readonly<Record<string, number>>): SplitterCounts {
  return Object.fromEntries(
    Object.entries(requests).map(([version, count]) => {
      const latencyCounts = judgeBoundsMs.map((_, index) => (index === 10 ? count : 0))
      const requestsByStatus = { 0: count - Math.floor(count / 10), 14: Math.floor(count / 10) }
      return [version, { inFlight: 0, requestsByStatus, latencyCounts: [...latencyCounts, 0], methods: {} }]
    }),
  )
}

/** Reads every second; each second has ten requests. */
function after(seconds: number, history = new History(), from = 0): History {
  for (let second = 0; second <= seconds; second++)
    history.record(counts({ a: 10 * (from + second) }), 1000 * (from + second))
  return history
}

test('the past comes in slots of five seconds, without the first five', () => {
  const past = after(60).of('a')
  assert.equal(past.length, 11)
  assert.ok(past.every(({ seconds, arm }) => seconds === 5 && arm.requests === 50 && arm.errors === 5))
})

test('an hour is kept, and not more', () => {
  const past = after(4000).of('a')
  assert.equal(past.length, 720)
})

test('a splitter that counts from zero again, and time that nobody saw, give no slot of their own', () => {
  const history = after(30)
  history.record(counts({ a: 3 }), 31_000)
  history.record(counts({ a: 1000 }), 99_000)
  const past = history.of('a')
  assert.ok(past.every(({ arm }) => arm.requests === 50))
})

test('a version that is not read any more is forgotten, and an unknown one has no past', () => {
  const history = after(30)
  assert.deepEqual(history.of('b'), [])
  history.record(counts({ b: 1 }), 31_000)
  assert.deepEqual(history.of('a'), [])
})

test('it reads until it is told to stop, whatever becomes of a reading', async () => {
  const history = new History()
  const stop = new AbortController()
  let [atMs, readings] = [0, 0]
  const clock = {
    nowMs: () => atMs,
    monotonicMs: () => atMs,
    sleep: async (durationMs: number) => {
      atMs += durationMs
      if (atMs >= 40_000) stop.abort()
    },
  }
  const read = async () => {
    if (++readings % 7 === 0) throw new Error('the splitter did not answer')
    return counts({ a: atMs / 100 })
  }
  await history.follow(read, clock, stop.signal)
  assert.ok(history.of('a').length >= 5)
})
