import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TooManyWaitingError, Turns } from './turns.ts'

test('work is done one after another in the order in which it came, whatever fails', async () => {
  const turns = new Turns(10)
  const done: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = turns.run(async () => {
    await gate.promise
    done.push('first')
    throw new Error('it failed')
  })
  const second = turns.run(async () => {
    done.push('second')
    return 2
  })
  assert.deepEqual(done, [])
  gate.resolve()
  await assert.rejects(first, /it failed/)
  assert.equal(await second, 2)
  await turns.idle()
  assert.deepEqual(done, ['first', 'second'])
})

test('more than may wait are refused, and have their turn later', async () => {
  const turns = new Turns(2)
  const gate = Promise.withResolvers<void>()
  const atWork = turns.run(() => gate.promise)
  // The one at work waits no more.
  await Promise.resolve()
  const waiting = [turns.run(async () => {}), turns.run(async () => {})]
  assert.throws(() => turns.run(async () => {}), TooManyWaitingError)
  gate.resolve()
  await Promise.all([atWork, ...waiting])
  await turns.run(async () => {})
})
