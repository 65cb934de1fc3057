import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { testClock } from '../clock.testing.ts'
import { seededRandom } from '../eventually.testing.ts'
import { openMemoryCache } from './cache.memory.ts'
import { type Cache, CacheUnavailableError } from './cache.ts'
import { type CachedOptions, cached } from './cached.ts'

type Options = Partial<CachedOptions<[tenant: string, question: string], unknown>>

/** A cached function whose computations are counted and answered by `answer`. */
function subject(options: Options = {}) {
  const clock = testClock()
  const registry = new Registry()
  const state = { calls: 0, answer: (question: string): unknown => `${question}!` }
  const cache = openMemoryCache({ maxEntries: 1_000, maxBytes: 10_000_000 }, { clock })
  const ask = cached(
    async (_tenant: string, question: string) => {
      state.calls += 1
      return state.answer(question)
    },
    {
      cache,
      name: 'answers',
      key: (_tenant, question) => question,
      tenant: (tenant) => tenant,
      ttlMs: 1_000,
      jitter: 0,
      clock,
      random: seededRandom(1),
      registry,
      ...options,
    },
  )
  const outcomes = async () => {
    const metric = await registry.getSingleMetric('nexus_cache_requests_total')?.get()
    return Object.fromEntries(metric?.values.map(({ labels, value }) => [labels.outcome, value]) ?? [])
  }
  return { clock, cache, state, ask, outcomes, registry }
}

const fail = () => {
  throw new Error('the computation failed')
}

test('the second call with the same key does not compute, and the metric tells both', async () => {
  const { ask, state, outcomes } = subject()
  assert.equal(await ask('t', 'why'), 'why!')
  assert.equal(await ask('t', 'why'), 'why!')
  assert.equal(await ask('t', 'how'), 'how!')
  assert.equal(state.calls, 2)
  assert.deepEqual(await outcomes(), { miss: 2, hit: 1 })
})

test('tenants share nothing, whatever their names and keys', async () => {
  const { ask, state } = subject()
  for (const [tenant, question] of [
    ['a', 'b:c'],
    ['a:b', 'c'],
    ['a', '"b'],
    ['a"', 'b'],
    ['', 'ab'],
  ] as const) {
    assert.equal(await ask(tenant, question), `${question}!`)
  }
  assert.equal(state.calls, 5)
})

test('keys that are objects are equal by content', async () => {
  const { ask, state } = subject({ key: (_tenant, question) => JSON.parse(question) })
  await ask('t', '{"a":1,"b":2}')
  await ask('t', '{"b":2,"a":1}')
  assert.equal(state.calls, 1)
})

test('callers at the same time share one computation', async () => {
  const { ask, state } = subject()
  const opened = Promise.withResolvers<string>()
  state.answer = () => opened.promise
  const calls = Array.from({ length: 50 }, () => ask('t', 'why'))
  await new Promise(setImmediate)
  opened.resolve('once')
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(['once']))
  assert.equal(state.calls, 1)
})

test('a failure reaches all who wait for it and is not kept', async () => {
  const { ask, state } = subject()
  state.answer = fail
  const results = await Promise.allSettled([ask('t', 'why'), ask('t', 'why')])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal(state.calls, 1)
  state.answer = () => 'well'
  assert.equal(await ask('t', 'why'), 'well')
})

test('entries expire, at different times with jitter', async () => {
  const plain = subject()
  await plain.ask('t', 'why')
  plain.clock.advance(999)
  await plain.ask('t', 'why')
  plain.clock.advance(1)
  await plain.ask('t', 'why')
  assert.equal(plain.state.calls, 2)

  const spread = subject({ jitter: 0.5 })
  for (let count = 0; count < 100; count += 1) await spread.ask('t', String(count))
  spread.clock.advance(750)
  for (let count = 0; count < 100; count += 1) await spread.ask('t', String(count))
  const expired = spread.state.calls - 100
  assert.ok(expired > 30 && expired < 70, `${expired} of 100 expired in half of the spread`)
})

test('a wall clock that goes back does not keep an entry alive', async () => {
  const { ask, clock, state } = subject()
  await ask('t', 'why')
  clock.setNow(clock.nowMs() - 3_600_000)
  await ask('t', 'why')
  assert.equal(state.calls, 2)
})

test('a result without content is kept only where asked, and for its own time', async () => {
  const without = subject()
  without.state.answer = () => undefined
  for (let count = 0; count < 3; count += 1) assert.equal(await without.ask('t', 'why'), undefined)
  assert.equal(without.state.calls, 3)

  const negative = subject({ negativeTtlMs: 100 })
  for (const empty of [undefined, null]) {
    negative.state.answer = () => empty
    negative.state.calls = 0
    for (let count = 0; count < 3; count += 1) assert.equal(await negative.ask('t', `why ${empty}`), empty)
    assert.equal(negative.state.calls, 1)
  }
  negative.clock.advance(100)
  await negative.ask('t', 'why undefined')
  assert.equal(negative.state.calls, 2)

  const own = subject({
    negativeTtlMs: 100,
    isNegative: (result) => Array.isArray(result) && result.length === 0,
  })
  own.state.answer = () => []
  await own.ask('t', 'why')
  own.clock.advance(100)
  await own.ask('t', 'why')
  assert.equal(own.state.calls, 2)
})

test('an old entry answers for a failure where asked, for its time, and never after an invalidation', async () => {
  const { ask, clock, state, outcomes } = subject({ staleOnErrorMs: 500 })
  await ask('t', 'why')
  await ask('t', 'how')
  state.answer = fail
  clock.advance(1_400)
  assert.equal(await ask('t', 'why'), 'why!')
  await ask.invalidate('t')
  await assert.rejects(ask('t', 'how'), /the computation failed/)
  assert.deepEqual(await outcomes(), { miss: 3, stale: 1 })

  const late = subject({ staleOnErrorMs: 500 })
  await late.ask('t', 'why')
  late.state.answer = fail
  late.clock.advance(1_500)
  await assert.rejects(late.ask('t', 'why'))
})

test('after an invalidation the very next call computes, even while an older computation is under way', async () => {
  const { ask, state } = subject()
  const old = Promise.withResolvers<string>()
  state.answer = () => old.promise
  const early = ask('t', 'why')
  await new Promise(setImmediate)
  await ask.invalidate('t')
  state.answer = () => 'new'
  assert.equal(await ask('t', 'why'), 'new')
  old.resolve('old')
  assert.equal(await early, 'old')
  assert.equal(await ask('t', 'why'), 'new')
})

test('an invalidation by somebody else is seen too, and leaves other tenants alone', async () => {
  const { ask, cache, state } = subject()
  await ask('t', 'why')
  await ask('u', 'why')
  await cache.invalidate({ name: 'answers', tenant: 't' })
  await ask('t', 'why')
  await ask('u', 'why')
  assert.equal(state.calls, 3)
})

test('a cache that is away is a miss, and the outcome says so', async () => {
  for (const bypassed of [true, false]) {
    const away = async () => {
      throw new CacheUnavailableError('away', { bypassed })
    }
    const dead: Cache = {
      get: away,
      set: away,
      delete: away,
      invalidate: async () => 'pending',
      close: async () => {},
    }
    const { ask, state, outcomes } = subject({ cache: dead })
    assert.equal(await ask('t', 'why'), 'why!')
    assert.equal(await ask('t', 'why'), 'why!')
    assert.equal(state.calls, 2)
    assert.deepEqual(await outcomes(), { [bypassed ? 'bypassed' : 'error']: 2 })
  }
})

test('a cache that dies between look-up and storing costs nothing but the entry', async () => {
  const dying: Cache = {
    get: async () => ({ version: '1' }),
    set: async () => {
      throw new CacheUnavailableError('away', { bypassed: false })
    },
    delete: async () => {},
    invalidate: async () => 'done',
    close: async () => {},
  }
  const { ask } = subject({ cache: dying })
  assert.equal(await ask('t', 'why'), 'why!')
})

test('an entry that cannot be decoded is a miss', async () => {
  const { ask, cache, state } = subject()
  const { version } = await cache.get({ name: 'answers', tenant: 't' }, '"why"')
  for (const value of [Buffer.from('short'), Buffer.alloc(40, 1)]) {
    await cache.set({ name: 'answers', tenant: 't' }, '"why"', { version, value, ttlMs: 1_000 })
    assert.equal(await ask('t', 'why'), 'why!')
  }
  assert.equal(state.calls, 2)
})

test('two cached functions count in one registry', async () => {
  const first = subject()
  const second = cached(async () => 1, {
    cache: first.cache,
    name: 'second',
    key: () => null,
    tenant: () => '',
    ttlMs: 10,
    clock: first.clock,
    random: Math.random,
    registry: first.registry,
  })
  await first.ask('t', 'why')
  await second()
  const text = await first.registry.metrics()
  assert.match(text, /nexus_cache_requests_total\{cache="answers",outcome="miss"\} 1/)
  assert.match(text, /nexus_cache_requests_total\{cache="second",outcome="miss"\} 1/)
})
