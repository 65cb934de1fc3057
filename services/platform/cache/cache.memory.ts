import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import { type Cache, type CacheEntry, type CacheSpace, digest, maxValueBytes, spaceId } from './cache.ts'

const maxSpaces = 100_000
const entryOverheadBytes = 200

interface Stored {
  readonly version: string
  readonly value: Uint8Array
  readonly expiresAtMs: number
}

/** The least recently used entries leave when there are more than `maxEntries`, or than `maxBytes` of values. */
export interface MemoryCacheBounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

export function openMemoryCache(bounds: MemoryCacheBounds, options: { clock: Clock }): Cache {
  return new MemoryCache(bounds, options.clock)
}

class MemoryCache implements Cache {
  readonly #clock: Clock
  readonly #entries: LRUCache<string, Stored>
  /** Versions come from one counter and are never given twice, so a space that was dropped here starts out empty. */
  readonly #versions = new LRUCache<string, string>({ max: maxSpaces })
  #lastVersion = 0

  constructor(bounds: MemoryCacheBounds, clock: Clock) {
    this.#clock = clock
    this.#entries = new LRUCache({
      max: bounds.maxEntries,
      maxSize: bounds.maxBytes,
      sizeCalculation: (stored) => stored.value.byteLength + entryOverheadBytes,
    })
  }

  async get(space: CacheSpace, key: string) {
    const version = this.#versions.get(spaceId(space)) ?? this.#renew(space)
    const id = entryId(space, key)
    const stored = this.#entries.get(id)
    if (!stored) return { version }
    if (stored.version === version && this.#clock.monotonicMs() < stored.expiresAtMs) {
      return { version, value: stored.value }
    }
    this.#entries.delete(id)
    return { version }
  }

  async set(space: CacheSpace, key: string, entry: CacheEntry) {
    if (entry.value.byteLength > maxValueBytes) return
    this.#entries.set(entryId(space, key), {
      version: entry.version,
      value: entry.value,
      expiresAtMs: this.#clock.monotonicMs() + entry.ttlMs,
    })
  }

  async delete(space: CacheSpace, key: string) {
    this.#entries.delete(entryId(space, key))
  }

  async invalidate(space: CacheSpace) {
    this.#renew(space)
    return 'done' as const
  }

  async close() {
    this.#entries.clear()
    this.#versions.clear()
  }

  #renew(space: CacheSpace): string {
    this.#lastVersion += 1
    const version = String(this.#lastVersion)
    this.#versions.set(spaceId(space), version)
    return version
  }
}

function entryId(space: CacheSpace, key: string): string {
  return `${spaceId(space)}:${digest(key)}`
}
