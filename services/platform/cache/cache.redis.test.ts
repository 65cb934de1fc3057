import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { systemClock } from '../clock.ts'
import { eventually } from '../eventually.testing.ts'
import { startTestRedis, type TestRedis, withoutRedis } from '../redis.testing.ts'
import { freePorts, keepingLog, silentLog } from '../testing.ts'
import { cacheContract } from './cache.contract.ts'
import type { Cache } from './cache.ts'
import { cached } from './cached.ts'
import { openCache } from './open.ts'

cacheContract('redis', withoutRedis, async () => {
  const server = await startTestRedis({ appendonly: 'no' })
  return {
    open: async () => connected(openCache(server.url, { clock: systemClock, log: silentLog })),
    close: () => server.close(),
  }
})

/** A cache on Redis connects while it is used; a test that wants hits waits for it. */
async function connected(cache: Cache): Promise<Cache> {
  await eventually('the cache answers', () =>
    cache.get({ name: 'ready', tenant: '' }, '').catch(() => undefined),
  )
  return cache
}

/** A cached function over a Redis of its own; `ask` gives the number of computations so far. */
async function subject(t: TestContext, server?: TestRedis) {
  const redis = server ?? (await startTestRedis({ appendonly: 'yes', appendfsync: 'always' }))
  const { log, lines } = keepingLog()
  const cache = await connected(openCache(redis.url, { clock: systemClock, log }))
  t.after(async () => {
    await cache.close()
    await redis.close()
  })
  const registry = new Registry()
  let calls = 0
  const ask = cached(
    async (_question: string) => {
      calls += 1
      return calls
    },
    {
      cache,
      name: 'answers',
      key: (question) => question,
      tenant: () => 't',
      ttlMs: 600_000,
      clock: systemClock,
      random: Math.random,
      registry,
    },
  )
  const count = async (outcome: string) => {
    const metric = await registry.getSingleMetric('nexus_cache_requests_total')?.get()
    return metric?.values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0
  }
  return { redis, cache, ask, count, lines }
}

/** Asks until an answer comes from the cache. */
async function untilHit({
  ask,
  count,
}: {
  ask: (question: string) => Promise<number>
  count: (o: string) => Promise<number>
}) {
  const before = await count('hit')
  await eventually('the cache is used again', async () => {
    await ask('why')
    return (await count('hit')) > before
  })
}

describe('a cached function whose Redis fails', { skip: withoutRedis }, () => {
  test('computes while Redis is away, hardly waits for it, and uses it again when it is back', async (t) => {
    const parts = await subject(t)
    const { redis, ask, count, lines } = parts
    await ask('why')
    await untilHit(parts)
    await redis.stop('SIGKILL')
    const began = performance.now()
    for (let calls = 0; calls < 200; calls += 1) await ask('why')
    assert.ok(performance.now() - began < 2_000, 'a dead cache costs less than 10 ms a call')
    assert.ok((await count('error')) >= 1)
    assert.ok((await count('bypassed')) >= 150)
    await redis.start()
    await untilHit(parts)
    const events = lines.map(({ event }) => event)
    assert.deepEqual([events.at(0), events.at(-1)], ['cache_bypassed', 'cache_back'])
  })

  test('gives up on a Redis that hangs within the bound of an operation, then bypasses it', async (t) => {
    const parts = await subject(t)
    const { redis, ask, count } = parts
    await untilHit(parts)
    redis.freeze()
    const began = performance.now()
    for (let calls = 0; calls < 30; calls += 1) await ask('why')
    const tookMs = performance.now() - began
    assert.ok(
      tookMs < 4_000,
      `30 calls took ${tookMs} ms: at most 5 may wait 250 ms, and one a second to probe`,
    )
    assert.ok((await count('bypassed')) >= 15)
    redis.thaw()
    await untilHit(parts)
  })

  test('never gives what was invalidated while Redis was away', async (t) => {
    const parts = await subject(t)
    const { redis, ask } = parts
    const old = await ask('why')
    await untilHit(parts)
    redis.freeze()
    assert.equal(await ask.invalidate('t'), 'pending')
    redis.thaw()
    const fresh = await ask('why')
    assert.ok(fresh > old)
    await untilHit(parts)
    assert.ok((await ask('why')) >= fresh)
  })

  test('never gives what an old snapshot of Redis brings back: a restart empties the cache', async (t) => {
    const parts = await subject(t)
    const { redis, ask } = parts
    const old = await ask('why')
    await untilHit(parts)
    await redis.stop('SIGTERM')
    await redis.start()
    const admin = new Redis(redis.url)
    assert.ok((await admin.dbsize()) > 0, 'Redis itself still has the entries')
    admin.disconnect()
    for (let calls = 0; calls < 20; calls += 1) assert.ok((await ask('why')) > old)
    await untilHit(parts)
  })

  test('starts without a Redis, computing, and says that it bypasses it', async () => {
    const [port] = await freePorts(1)
    const { log, lines } = keepingLog()
    const cache = openCache(`redis://user:hunter2@127.0.0.1:${port}`, { clock: systemClock, log })
    for (let calls = 0; calls < 10; calls += 1)
      await assert.rejects(cache.get({ name: 'n', tenant: 't' }, 'k'))
    await cache.close()
    assert.equal(lines[0]?.event, 'cache_bypassed')
    assert.equal(lines[0]?.address, `redis://127.0.0.1:${port}`)
    assert.doesNotMatch(JSON.stringify(lines), /hunter2/)
  })

  test('two processes see each other’s entries and invalidations', async (t) => {
    const one = await subject(t)
    const two = await connected(openCache(one.redis.url, { clock: systemClock, log: silentLog }))
    t.after(() => two.close())
    const first = await one.ask('why')
    const space = { name: 'answers', tenant: 't' }
    assert.ok((await two.get(space, '"why"')).value)
    await two.invalidate(space)
    assert.ok((await one.ask('why')) > first)
  })
})
