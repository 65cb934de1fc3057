import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testClock } from '../clock.testing.ts'
import { systemClock } from '../clock.ts'
import { silentLog } from '../testing.ts'
import { cacheContract } from './cache.contract.ts'
import { openMemoryCache } from './cache.memory.ts'
import { openCache } from './open.ts'

cacheContract('memory', false, async () => ({
  open: async () => openCache('memory:', { clock: systemClock, log: silentLog }),
  close: async () => {},
}))

const space = { name: 'n', tenant: 't' }

test('no more entries and bytes are kept than the bounds allow; the least recently used leave', async () => {
  const clock = testClock()
  const byCount = openMemoryCache({ maxEntries: 3, maxBytes: 1_000_000 }, { clock })
  const { version } = await byCount.get(space, 'a')
  for (const key of ['a', 'b', 'c'])
    await byCount.set(space, key, { version, value: Buffer.from(key), ttlMs: 1_000 })
  await byCount.get(space, 'a')
  await byCount.set(space, 'd', { version, value: Buffer.from('d'), ttlMs: 1_000 })
  const there = async (key: string) => (await byCount.get(space, key)).value !== undefined
  assert.deepEqual(
    [await there('a'), await there('b'), await there('c'), await there('d')],
    [true, false, true, true],
  )

  const byBytes = openMemoryCache({ maxEntries: 1_000, maxBytes: 10_000 }, { clock })
  const own = (await byBytes.get(space, 'a')).version
  for (let count = 0; count < 100; count += 1) {
    await byBytes.set(space, `k${count}`, { version: own, value: new Uint8Array(1_000), ttlMs: 1_000 })
  }
  let kept = 0
  for (let count = 0; count < 100; count += 1) if ((await byBytes.get(space, `k${count}`)).value) kept += 1
  assert.equal(kept, 8)
})

test('time to live follows the monotonic clock: setting the wall clock back keeps nothing alive', async () => {
  const clock = testClock()
  const cache = openMemoryCache({ maxEntries: 3, maxBytes: 1_000 }, { clock })
  const { version } = await cache.get(space, 'k')
  await cache.set(space, 'k', { version, value: Buffer.from('1'), ttlMs: 100 })
  clock.advance(99)
  assert.ok((await cache.get(space, 'k')).value)
  clock.setNow(0)
  clock.advance(1)
  assert.equal((await cache.get(space, 'k')).value, undefined)
})

test('a URL with another scheme or a bad bound is refused', () => {
  const options = { clock: systemClock, log: silentLog }
  for (const url of ['sqlite:x', 'memory', 'memory:x', 'redis:6379']) {
    assert.throws(() => openCache(url, options), /the URL of a cache begins with/)
  }
  assert.throws(() => openCache('memory:?entries=0', options), /entries= must be a whole number/)
  assert.throws(() => openCache('memory:?bytes=1.5', options), /bytes= must be a whole number/)
})
