import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '../eventually.testing.ts'
import { type Cache, type CacheSpace, maxValueBytes } from './cache.ts'

/** A store under test. Time passes by itself in it, as in Redis. */
export interface CacheStore {
  open(): Promise<Cache>
  close(): Promise<void>
}

/** What every cache keeps, whatever it is stored in. */
export function cacheContract(name: string, skip: string | false, start: () => Promise<CacheStore>): void {
  describe(`cache contract: ${name}`, { skip }, () => {
    let store: CacheStore
    let cache: Cache
    before(async () => {
      store = await start()
      cache = await store.open()
    })
    after(async () => {
      await cache?.close()
      await store?.close()
    })
    storing(() => cache)
    invalidating(() => cache)
  })
}

const long = 60_000
const bytes = (text: string) => Buffer.from(text)

/** Stores as `cached` does: under the version that a look-up gave. */
async function put(
  cache: Cache,
  space: CacheSpace,
  key: string,
  value: Uint8Array,
  ttlMs = long,
): Promise<void> {
  const { version } = await cache.get(space, key)
  await cache.set(space, key, { version, value, ttlMs })
}

async function look(cache: Cache, space: CacheSpace, key: string): Promise<string | undefined> {
  const { value } = await cache.get(space, key)
  return value && Buffer.from(value).toString()
}

function storing(cache: () => Cache): void {
  test('a value is read back, byte for byte', async () => {
    const space = { name: 'store', tenant: 't' }
    const value = Uint8Array.from({ length: 256 }, (_, index) => index)
    assert.equal(await look(cache(), space, 'k'), undefined)
    await put(cache(), space, 'k', value)
    assert.deepEqual(Uint8Array.from((await cache().get(space, 'k')).value ?? []), value)
    await put(cache(), space, 'k', bytes(''))
    assert.equal(await look(cache(), space, 'k'), '')
  })

  test('a deleted value is a miss, its neighbour stays', async () => {
    const space = { name: 'delete', tenant: 't' }
    await put(cache(), space, 'a', bytes('1'))
    await put(cache(), space, 'b', bytes('2'))
    await cache().delete(space, 'a')
    await cache().delete(space, 'never-there')
    assert.deepEqual([await look(cache(), space, 'a'), await look(cache(), space, 'b')], [undefined, '2'])
  })

  test('a value is gone when its time is over', async () => {
    const space = { name: 'expiry', tenant: 't' }
    await put(cache(), space, 'k', bytes('1'), 60)
    await put(cache(), space, 'stays', bytes('2'))
    await eventually('the value expires', async () => (await look(cache(), space, 'k')) === undefined, 2_000)
    assert.equal(await look(cache(), space, 'stays'), '2')
  })

  test('a value above the bound is not stored, and keys of any length are', async () => {
    const space = { name: 'bounds', tenant: 't' }
    await put(cache(), space, 'large', new Uint8Array(maxValueBytes + 1))
    assert.equal(await look(cache(), space, 'large'), undefined)
    await put(cache(), space, 'x'.repeat(100_000), bytes('1'))
    assert.equal(await look(cache(), space, 'x'.repeat(100_000)), '1')
  })

  test('names and tenants that are equal when written one after the other do not meet', async () => {
    const spaces = [
      ['a', 'b:c'],
      ['a:b', 'c'],
      ['a', 'b'],
      ['ab', ''],
      ['', 'ab'],
      ['a","b', 'c'],
    ].map(([name = '', tenant = '']) => ({ name, tenant }))
    for (const [index, space] of spaces.entries()) await put(cache(), space, 'k', bytes(String(index)))
    for (const [index, space] of spaces.entries())
      assert.equal(await look(cache(), space, 'k'), String(index))
  })
}

function invalidating(cache: () => Cache): void {
  test('after an invalidation everything in the space is a miss, for this tenant and name only', async () => {
    const space = { name: 'invalidate', tenant: 't' }
    const others = [
      { name: 'invalidate', tenant: 'u' },
      { name: 'other', tenant: 't' },
    ]
    for (const each of [space, ...others]) await put(cache(), each, 'k', bytes('1'))
    assert.equal(await cache().invalidate(space), 'done')
    assert.equal(await look(cache(), space, 'k'), undefined)
    for (const each of others) assert.equal(await look(cache(), each, 'k'), '1')
    await put(cache(), space, 'k', bytes('2'))
    assert.equal(await look(cache(), space, 'k'), '2')
  })

  test('what was computed before an invalidation and stored after it is never seen', async () => {
    const space = { name: 'late', tenant: 't' }
    const { version } = await cache().get(space, 'k')
    await cache().invalidate(space)
    await cache().set(space, 'k', { version, value: bytes('old'), ttlMs: long })
    assert.equal(await look(cache(), space, 'k'), undefined)
  })

  test('callers that find a new space at once agree on its version', async () => {
    const space = { name: 'agree', tenant: 't' }
    const reads = await Promise.all(Array.from({ length: 20 }, () => cache().get(space, 'k')))
    assert.equal(new Set(reads.map(({ version }) => version)).size, 1)
  })
}
