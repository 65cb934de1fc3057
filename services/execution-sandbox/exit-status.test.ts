import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endOf } from './exit-status.ts'

test('a status of 128 and more is a signal where there is one of that number', () => {
  assert.deepEqual(endOf(0), { outcome: 'exited', exitCode: 0 })
  assert.deepEqual(endOf(127), { outcome: 'exited', exitCode: 127 })
  assert.deepEqual(endOf(137), { outcome: 'signaled', signal: 'SIGKILL' })
  assert.deepEqual(endOf(255), { outcome: 'exited', exitCode: 255 })
})

test('a write beyond the file limit is told as that', () => {
  assert.deepEqual(endOf(128 + 25), { outcome: 'file-limit' })
})
