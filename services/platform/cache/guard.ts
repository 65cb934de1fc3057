import type { Clock } from '../clock.ts'
import { Breaker, type BreakerState } from './breaker.ts'
import { type Cache, type CacheEntry, type CacheSpace, CacheUnavailableError, spaceId } from './cache.ts'

const failuresToOpen = 5
const openMs = 1_000
const maxPendingInvalidations = 10_000

/**
 * Puts a breaker before a cache that can be away, and keeps the promise of `invalidate` while it is: a space whose
 * invalidation the store has not confirmed is bypassed here, and the invalidation is made good before its next use.
 */
export function guardCache(
  cache: Cache,
  options: { clock: Clock; onBreaker?: (state: BreakerState) => void },
): Cache {
  return new GuardedCache(
    cache,
    new Breaker({ failuresToOpen, openMs, clock: options.clock, onChange: options.onBreaker }),
  )
}

class GuardedCache implements Cache {
  readonly #cache: Cache
  readonly #breaker: Breaker
  /** The number tells a later invalidation of the same space from the one that is being made good. */
  readonly #pending = new Map<string, number>()
  #invalidations = 0

  constructor(cache: Cache, breaker: Breaker) {
    this.#cache = cache
    this.#breaker = breaker
  }

  async get(space: CacheSpace, key: string) {
    await this.#settle(space)
    return this.#guard(() => this.#cache.get(space, key))
  }

  async set(space: CacheSpace, key: string, entry: CacheEntry) {
    await this.#settle(space)
    await this.#guard(() => this.#cache.set(space, key, entry))
  }

  async delete(space: CacheSpace, key: string) {
    await this.#guard(() => this.#cache.delete(space, key))
  }

  async invalidate(space: CacheSpace): Promise<'done' | 'pending'> {
    const id = spaceId(space)
    if (this.#pending.size >= maxPendingInvalidations && !this.#pending.has(id)) {
      throw new CacheUnavailableError(`${maxPendingInvalidations} invalidations wait for the cache already`, {
        bypassed: true,
      })
    }
    this.#invalidations += 1
    this.#pending.set(id, this.#invalidations)
    try {
      await this.#settle(space)
      return 'done'
    } catch (error) {
      if (error instanceof CacheUnavailableError) return 'pending'
      throw error
    }
  }

  async close() {
    await this.#cache.close()
  }

  async #settle(space: CacheSpace): Promise<void> {
    const id = spaceId(space)
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    await this.#guard(() => this.#cache.invalidate(space))
    if (this.#pending.get(id) === pending) this.#pending.delete(id)
  }

  async #guard<T>(operation: () => Promise<T>): Promise<T> {
    if (!this.#breaker.admit()) {
      throw new CacheUnavailableError('the cache is bypassed: it has just failed', { bypassed: true })
    }
    try {
      const result = await operation()
      this.#breaker.succeeded()
      return result
    } catch (error) {
      this.#breaker.failed()
      throw error
    }
  }
}
