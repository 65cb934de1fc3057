import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chassisSettings, grpcLimits } from './chassis-settings.ts'
import { backEnd, flag, integer, list, oneOf, readSettings, SettingsError, text } from './settings.ts'

test('a table of settings becomes one frozen object', () => {
  const table = {
    port: { variable: 'NEXUS_PORT', read: integer({ min: 0, max: 65_535 }), purpose: 'the port' },
    name: { variable: 'NEXUS_NAME', read: text, purpose: 'the name', fallback: 'nexus' },
  } as const
  const settings = readSettings(table, { NEXUS_PORT: '80', NEXUS_NAME: '' })
  assert.deepEqual(settings, { port: 80, name: 'nexus' })
  assert.ok(Object.isFrozen(settings))
})

test('one run names every setting that is missing or wrong, and what it is for', () => {
  const table = {
    key: { variable: 'NEXUS_KEY', read: text, purpose: 'the key that signs' },
    port: { variable: 'NEXUS_PORT', read: integer({ min: 1, max: 9 }), purpose: 'the port' },
  } as const
  assert.throws(
    () => readSettings(table, { NEXUS_PORT: 'x' }),
    (error: Error) => {
      assert.ok(error instanceof SettingsError)
      assert.match(error.message, /NEXUS_KEY is not set: the key that signs/)
      assert.match(error.message, /NEXUS_PORT=x: must be a whole number from 1 to 9 \(the port\)/)
      return true
    },
  )
})

test('the password of a URL that is wrong is not told', () => {
  const table = { journal: { variable: 'NEXUS_JOURNAL_URL', read: backEnd('redis'), purpose: 'it' } as const }
  assert.throws(
    () => readSettings(table, { NEXUS_JOURNAL_URL: 'redsi://nexus:secret@host:6379' }),
    (error: Error) => error.message.includes('redsi://…@host:6379') && !error.message.includes('secret'),
  )
})

test('readers say what they take', () => {
  assert.equal(flag('Yes'), true)
  assert.equal(flag('0'), false)
  assert.throws(() => flag('perhaps'), /true or false/)
  assert.throws(() => oneOf(['a', 'b'])('c'), /one of a, b/)
  assert.equal(backEnd('redis', 'sqlite')('redis://x'), 'redis://x')
  assert.throws(() => backEnd('redis', 'sqlite')('http://x'), /redis: or sqlite:/)
  assert.deepEqual(list(' a, ,b '), ['a', 'b'])
})

test('the chassis starts with nothing set, and leaves traces and profiles off', () => {
  const settings = readSettings(chassisSettings, {})
  assert.equal(settings.otlpUrl, undefined)
  assert.equal(settings.pprof, false)
  assert.equal(grpcLimits(settings).maxMessageBytes, 4 * 1024 * 1024)
})
