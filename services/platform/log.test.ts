import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from './log.ts'
import { keepingLog } from './testing.ts'

test('an event is one line of JSON with its level, time and fields', () => {
  const { log, lines } = keepingLog()
  log.child({ service: 'governor' }).warn('budget_spent', { burn_rate: 14.4 })
  assert.equal(lines.length, 1)
  const { time, ...rest } = lines[0] ?? {}
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual(rest, { level: 'warn', event: 'budget_spent', service: 'governor', burn_rate: 14.4 })
})

test('an error keeps its stack and its cause', () => {
  const { log, lines } = keepingLog()
  log.error('broke', { error: new Error('outer', { cause: new Error('inner') }) })
  const text = JSON.stringify(lines[0]?.error)
  assert.match(text, /outer/)
  assert.match(text, /inner/)
  assert.match(text, /log\.test\.ts/)
})

test('lines below the level are not made', () => {
  const written: string[] = []
  const log = createLog({ level: 'warn', destination: { write: (line) => void written.push(line) } })
  log.debug('a')
  log.info('b')
  assert.equal(written.length, 0)
  log.warn('c')
  assert.equal(written.length, 1)
})
