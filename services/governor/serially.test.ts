import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Serially } from './serially.ts'

test('work of one key is done in order, also after a failure, and another key does not wait', async () => {
  const serially = new Serially()
  const done: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = serially.run('a', async () => {
    await gate.promise
    done.push('a1')
    throw new Error('failed')
  })
  const second = serially.run('a', async () => void done.push('a2'))
  await serially.run('b', async () => void done.push('b1'))
  gate.resolve()
  await assert.rejects(first, /failed/)
  await second
  assert.deepEqual(done, ['b1', 'a1', 'a2'])
})
