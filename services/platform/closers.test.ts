import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Closers } from './closers.ts'

test('what was started last is closed first, one after the other', async () => {
  const closed: string[] = []
  const closers = new Closers()
  for (const name of ['journal', 'service', 'server']) {
    closers.add(name, async () => {
      await new Promise(setImmediate)
      closed.push(name)
    })
  }
  await Promise.all([closers.close(), closers.close()])
  assert.deepEqual(closed, ['server', 'service', 'journal'])
})

test('one that fails does not keep the others open, and is named', async () => {
  const closed: string[] = []
  const closers = new Closers()
  closers.add('journal', () => void closed.push('journal'))
  closers.add('server', () => {
    throw new Error('port on fire')
  })
  await assert.rejects(closers.close(), (error: AggregateError) => {
    assert.equal(error.message, 'server did not close')
    assert.equal(error.errors.length, 1)
    return true
  })
  assert.deepEqual(closed, ['journal'])
})

test('what is added while closing is closed too', async () => {
  const closed: string[] = []
  const closers = new Closers()
  await closers.close()
  closers.add('late', () => void closed.push('late'))
  await closers.close()
  assert.deepEqual(closed, ['late'])
})
