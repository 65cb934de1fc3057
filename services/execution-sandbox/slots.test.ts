import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QueueFullError, Slots } from './slots.ts'

test('slots are numbers that nobody else has; who waits gets the next in turn', async () => {
  const slots = new Slots({ count: 2, maxWaiting: 2 })
  const taken = [await slots.take(), await slots.take()]
  assert.deepEqual(taken.toSorted(), [0, 1])
  const third = slots.take()
  const fourth = slots.take()
  slots.give(1)
  assert.equal(await third, 1)
  slots.give(0)
  assert.equal(await fourth, 0)
})

test('the line has an end', async () => {
  const slots = new Slots({ count: 1, maxWaiting: 1 })
  await slots.take()
  const waiting = slots.take()
  await assert.rejects(slots.take(), QueueFullError)
  slots.give(0)
  assert.equal(await waiting, 0)
})

test('who gives up waiting makes room for another', async () => {
  const slots = new Slots({ count: 1, maxWaiting: 1 })
  await slots.take()
  const caller = new AbortController()
  const given = slots.take(caller.signal)
  caller.abort(new Error('enough'))
  await assert.rejects(given, /enough/)
  const next = slots.take()
  slots.give(0)
  assert.equal(await next, 0)
  await assert.rejects(slots.take(caller.signal), /enough/)
})
