import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { redisAddress } from '../redis.ts'
import { openMemoryCache } from './cache.memory.ts'
import { openRedisCache } from './cache.redis.ts'
import type { Cache } from './cache.ts'
import { cacheBreakerMoved } from './events.ts'
import { guardCache } from './guard.ts'

/** An operation on Redis that has no answer by then counts as a failure: computing is the better use of the time. */
const operationTimeoutMs = 250
const memoryDefaults = { entries: 10_000, bytes: 64 * 1024 * 1024 }

/**
 * Opens a cache by URL: `memory:` (bounds as `memory:?entries=10000&bytes=67108864`), `redis://…` or `rediss://…`.
 * A Redis that is away does not stop the start: it is bypassed, logged and counted until it is there.
 * Errors: Error for another URL or a bound that is not a whole number.
 */
export function openCache(url: string, options: { clock: Clock; log: Log }): Cache {
  if (/^memory:($|\?)/.test(url)) {
    const parameters = new URLSearchParams(url.slice('memory:'.length))
    const bounds = {
      maxEntries: bound(parameters, 'entries'),
      maxBytes: bound(parameters, 'bytes'),
    }
    return openMemoryCache(bounds, options)
  }
  if (!/^rediss?:\/\//.test(url)) {
    throw new Error('the URL of a cache begins with memory:, redis:// or rediss://')
  }
  // The breaker tells of the outage once; a line for each attempt to reconnect would tell nothing more.
  const cache = openRedisCache(url, { operationTimeoutMs, onConnectionError: () => {} })
  const address = redisAddress(url)
  return guardCache(cache, {
    clock: options.clock,
    onBreaker: (state) => cacheBreakerMoved(options.log, { address, state }),
  })
}

function bound(parameters: URLSearchParams, name: keyof typeof memoryDefaults): number {
  const value = Number(parameters.get(name) ?? memoryDefaults[name])
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`memory:?${name}= must be a whole number from 1`)
  return value
}
