import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testClock } from '../clock.testing.ts'
import { openMemoryCache } from './cache.memory.ts'
import { type Cache, CacheUnavailableError } from './cache.ts'
import { guardCache } from './guard.ts'

const space = { name: 'n', tenant: 't' }

/** A cache that can be switched off, under a guard. */
function breakable() {
  const clock = testClock()
  const memory = openMemoryCache({ maxEntries: 100, maxBytes: 100_000 }, { clock })
  const state = { away: false, calls: 0 }
  const pass = async <T>(operation: () => Promise<T>): Promise<T> => {
    state.calls += 1
    if (state.away) throw new CacheUnavailableError('away', { bypassed: false })
    return operation()
  }
  const inner: Cache = {
    get: (...args) => pass(() => memory.get(...args)),
    set: (...args) => pass(() => memory.set(...args)),
    delete: (...args) => pass(() => memory.delete(...args)),
    invalidate: (...args) => pass(() => memory.invalidate(...args)),
    close: () => memory.close(),
  }
  return { clock, state, guard: guardCache(inner, { clock }) }
}

const bypassed = (wanted: boolean) => (error: unknown) =>
  error instanceof CacheUnavailableError && error.bypassed === wanted

test('a dead cache is asked a few times, then bypassed, then probed once a second', async () => {
  const { clock, state, guard } = breakable()
  state.away = true
  for (let count = 0; count < 5; count += 1) await assert.rejects(guard.get(space, 'k'), bypassed(false))
  for (let count = 0; count < 100; count += 1) await assert.rejects(guard.get(space, 'k'), bypassed(true))
  assert.equal(state.calls, 5)
  clock.advance(1_000)
  await assert.rejects(guard.get(space, 'k'), bypassed(false))
  await assert.rejects(guard.get(space, 'k'), bypassed(true))
  assert.equal(state.calls, 6)
  state.away = false
  clock.advance(1_000)
  await guard.get(space, 'k')
  await guard.get(space, 'k')
  assert.equal(state.calls, 8)
})

test('what was invalidated while the cache was away is a miss when it is back', async () => {
  const { clock, state, guard } = breakable()
  const other = { name: 'n', tenant: 'other' }
  for (const each of [space, other]) {
    const { version } = await guard.get(each, 'k')
    await guard.set(each, 'k', { version, value: Buffer.from('old'), ttlMs: 1_000_000 })
  }
  state.away = true
  assert.equal(await guard.invalidate(space), 'pending')
  for (let count = 0; count < 10; count += 1)
    await assert.rejects(guard.get(space, 'k'), CacheUnavailableError)
  state.away = false
  clock.advance(1_000)
  assert.equal((await guard.get(space, 'k')).value, undefined)
  assert.ok((await guard.get(other, 'k')).value)
  const { version } = await guard.get(space, 'k')
  await guard.set(space, 'k', { version, value: Buffer.from('new'), ttlMs: 1_000 })
  assert.equal(Buffer.from((await guard.get(space, 'k')).value ?? []).toString(), 'new')
  assert.equal(await guard.invalidate(space), 'done')
})
