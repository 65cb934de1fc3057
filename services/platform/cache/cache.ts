import { createHash } from 'node:crypto'

/**
 * Bounded storage that may lose anything at any time, but never answers with what was invalidated.
 * Implementations: `cache.memory.ts`, `cache.redis.ts`; opened by URL in `open.ts`; held to one suite in `cache.contract.ts`.
 * Errors of all operations: CacheUnavailableError, within a bounded time.
 */
export interface Cache {
  /** The value under `key`, when it is there and was stored under the space's present version. */
  get(space: CacheSpace, key: string): Promise<CacheRead>
  /** Stores under the version that `get` gave: what was computed before an invalidation is not seen after it. */
  set(space: CacheSpace, key: string, entry: CacheEntry): Promise<void>
  delete(space: CacheSpace, key: string): Promise<void>
  /**
   * From now on everything stored in the space is a miss. `pending`: the store could not be told yet; this process
   * bypasses it for the space until it has been, other processes may see old values for at most their time to live.
   */
  invalidate(space: CacheSpace): Promise<'done' | 'pending'>
  /** Idempotent. */
  close(): Promise<void>
}

/** What is invalidated as one: the values of one cached function for one tenant. */
export interface CacheSpace {
  readonly name: string
  readonly tenant: string
}

export interface CacheRead {
  /** Opaque; changes with each invalidation. */
  readonly version: string
  readonly value?: Uint8Array
}

export interface CacheEntry {
  readonly version: string
  readonly value: Uint8Array
  readonly ttlMs: number
}

/** Larger values are not stored: moving them costs more than most computations. */
export const maxValueBytes = 1024 * 1024

/** The cache could not be used; the caller computes instead. `bypassed`: it was not even tried. */
export class CacheUnavailableError extends Error {
  override readonly name = 'CacheUnavailableError'
  readonly bypassed: boolean
  constructor(message: string, options: { bypassed: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.bypassed = options.bypassed
  }
}

/** A fixed-length name for a space. JSON keeps the parts apart: ('a', 'bc') and ('ab', 'c') cannot meet. */
export function spaceId(space: CacheSpace): string {
  return digest(JSON.stringify([space.name, space.tenant]))
}

/** SHA-256 in base64url: 43 characters whatever the length of the text. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
