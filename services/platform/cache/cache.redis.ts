import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { connectRedis, redisAddress } from '../redis.ts'
import {
  type Cache,
  type CacheEntry,
  type CacheSpace,
  CacheUnavailableError,
  digest,
  maxValueBytes,
  spaceId,
} from './cache.ts'

/** A space that nobody invalidates for a day loses its version, and with it its entries; so tenants do not pile up. */
const versionTtlMs = 24 * 3_600_000

/**
 * Opens a cache on a Redis, which need not be there yet: a cache that is away is a miss. Every operation ends within
 * `operationTimeoutMs`. `onConnectionError` is told of each failure of the connection.
 */
export function openRedisCache(
  url: string,
  options: { operationTimeoutMs: number; onConnectionError: (error: Error) => void },
): Cache {
  return new RedisCache(redisAddress(url), connectRedis(url, options))
}

/**
 * An entry is `<length of version><version><value>` and counts only while its version is the space's. A version is the
 * server's run id and a random part: a Redis that restarts from an old snapshot, or a replica that takes over, could
 * otherwise bring back what had been invalidated since. So a restart empties the cache.
 */
class RedisCache implements Cache {
  readonly #address: string
  readonly #redis: Redis
  #runId: Promise<string> | undefined

  constructor(address: string, redis: Redis) {
    this.#address = address
    this.#redis = redis
    redis.on('close', () => {
      this.#runId = undefined
    })
  }

  async get(space: CacheSpace, key: string) {
    return this.#send(async (redis) => {
      const runId = await this.#server()
      const [part, entry] = await redis.mgetBuffer(versionKey(space), entryKey(space, key))
      const version = `${runId}.${part?.toString() ?? (await this.#newVersion(redis, space))}`
      const value = entry ? storedValue(entry, version) : undefined
      return value ? { version, value } : { version }
    })
  }

  async set(space: CacheSpace, key: string, entry: CacheEntry) {
    if (entry.value.byteLength > maxValueBytes) return
    const version = Buffer.from(entry.version)
    const stored = Buffer.concat([Buffer.of(version.length), version, entry.value])
    await this.#send((redis) =>
      redis.set(entryKey(space, key), stored, 'PX', Math.max(1, Math.floor(entry.ttlMs))),
    )
  }

  async delete(space: CacheSpace, key: string) {
    await this.#send((redis) => redis.del(entryKey(space, key)))
  }

  async invalidate(space: CacheSpace) {
    await this.#send((redis) => redis.set(versionKey(space), randomUUID(), 'PX', versionTtlMs))
    return 'done' as const
  }

  async close() {
    this.#redis.disconnect()
  }

  /** Two that find no version at the same time agree on the one that was set first. */
  async #newVersion(redis: Redis, space: CacheSpace): Promise<string> {
    const fresh = randomUUID()
    const set = await redis.set(versionKey(space), fresh, 'PX', versionTtlMs, 'NX')
    return set ? fresh : ((await redis.get(versionKey(space))) ?? fresh)
  }

  /** Asked once per connection: another server is another connection. */
  #server(): Promise<string> {
    this.#runId ??= this.#redis.info('server').then((info) => {
      const runId = /^run_id:(\w+)/m.exec(info)?.[1]
      if (!runId) throw new Error('INFO does not name its run_id')
      return runId
    })
    this.#runId.catch(() => {
      this.#runId = undefined
    })
    return this.#runId
  }

  async #send<T>(command: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      return await command(this.#redis)
    } catch (error) {
      throw new CacheUnavailableError(
        `the cache at ${this.#address} does not work: ${(error as Error).message}`,
        {
          bypassed: false,
          cause: error,
        },
      )
    }
  }
}

function storedValue(stored: Buffer, version: string): Uint8Array | undefined {
  const length = stored[0] ?? 0
  if (stored.toString('latin1', 1, 1 + length) !== version) return undefined
  return stored.subarray(1 + length)
}

function versionKey(space: CacheSpace): string {
  return `nexus:cache:{${spaceId(space)}}:version`
}

function entryKey(space: CacheSpace, key: string): string {
  return `nexus:cache:{${spaceId(space)}}:${digest(key)}`
}
