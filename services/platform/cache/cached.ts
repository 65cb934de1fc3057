import type { Registry } from 'prom-client'
import { canonicalJson } from '../canonical-json.ts'
import type { Clock } from '../clock.ts'
import { detached } from '../grpc/call-context.ts'
import { invariant } from '../invariant.ts'
import { type Cache, type CacheRead, CacheUnavailableError, digest, spaceId } from './cache.ts'
import { type Codec, jsonCodec, pack, unpack } from './envelope.ts'
import { type CacheOutcome, cacheRequested } from './events.ts'

const maxFlights = 10_000

export interface CachedOptions<Args extends readonly unknown[], Result> {
  readonly cache: Cache
  /** Names the function in keys and in the metric; one name for one function, for ever. */
  readonly name: string
  /** What the result depends on besides the tenant, as a JSON value; hashed, so its length does not matter. */
  readonly key: (...args: Args) => unknown
  /** Whose data it is. Tenants never share an entry. */
  readonly tenant: (...args: Args) => string
  readonly ttlMs: number
  /** The share of the time to live, 0 to 1, by which entries expire earlier at random, so that they do not expire together. Default 0.1. */
  readonly jitter?: number
  /** How long a result without content is kept; without it such results are not stored. */
  readonly negativeTtlMs?: number
  /** Which results are without content; default `undefined` and `null`. */
  readonly isNegative?: (result: Result) => boolean
  /** For how long after its time an entry may still answer when computing it anew fails; default 0. */
  readonly staleOnErrorMs?: number
  /** Default JSON, with `undefined` as it is. */
  readonly codec?: Codec<Result>
  readonly clock: Clock
  readonly random: () => number
  readonly registry: Registry
}

export interface Cached<Args extends readonly unknown[], Result> {
  /** The stored result, or a fresh one. Callers share results: treat them as read-only. */
  (...args: Args): Promise<Result>
  /** From now on the tenant's next call computes. See `Cache.invalidate`. */
  invalidate(tenant: string): Promise<'done' | 'pending'>
}

/**
 * Cache-aside around `compute`: callers with the same key share one computation, a failure is not stored, and a cache
 * that is away is a miss. A caller never joins a computation that began before an invalidation which it can know of.
 * `compute` should not depend on one caller's AbortSignal, as others may wait for the same result.
 */
export function cached<Args extends readonly unknown[], Result>(
  compute: (...args: Args) => Promise<Result>,
  options: CachedOptions<Args, Result>,
): Cached<Args, Result> {
  const look = new CacheAside(compute, options)
  return Object.assign((...args: Args) => look.call(args), {
    invalidate: (tenant: string) => look.invalidate(tenant),
  })
}

/** What is known of a key when a call begins. */
interface Found<Result> {
  readonly outcome: CacheOutcome
  /** Without it nothing can be stored. */
  readonly version?: string
  readonly fresh?: { readonly result: Result }
  readonly stale?: { readonly result: Result }
}

class CacheAside<Args extends readonly unknown[], Result> {
  readonly #compute: (...args: Args) => Promise<Result>
  readonly #options: CachedOptions<Args, Result>
  readonly #codec: Codec<Result>
  readonly #flights = new Map<string, Promise<Result>>()
  #invalidations = 0

  constructor(compute: (...args: Args) => Promise<Result>, options: CachedOptions<Args, Result>) {
    const { jitter = 0, ttlMs, negativeTtlMs = 1, staleOnErrorMs = 0 } = options
    invariant(jitter >= 0 && jitter < 1, `jitter of cache ${options.name} is from 0 to below 1`)
    invariant(ttlMs > 0 && negativeTtlMs > 0, `times to live of cache ${options.name} are above 0`)
    invariant(staleOnErrorMs >= 0, `staleOnErrorMs of cache ${options.name} is not negative`)
    this.#compute = compute
    this.#options = options
    this.#codec = options.codec ?? jsonCodec()
  }

  async call(args: Args): Promise<Result> {
    const space = { name: this.#options.name, tenant: this.#options.tenant(...args) }
    const key = canonicalJson(this.#options.key(...args))
    const began = this.#invalidations
    const found = await this.#find(space, key)
    if (found.fresh) {
      this.#count('hit')
      return found.fresh.result
    }
    try {
      // The key of a flight holds all that an invalidation changes, here (the count) or elsewhere (the version).
      const flight = `${spaceId(space)}:${digest(key)}:${began}:${found.version ?? ''}`
      const result = await this.#share(flight, () => this.#computeAndStore(args, space, key, found.version))
      this.#count(found.outcome)
      return result
    } catch (error) {
      if (!found.stale) {
        this.#count(found.outcome)
        throw error
      }
      this.#count('stale')
      return found.stale.result
    }
  }

  async invalidate(tenant: string): Promise<'done' | 'pending'> {
    this.#invalidations += 1
    return this.#options.cache.invalidate({ name: this.#options.name, tenant })
  }

  async #find(space: { name: string; tenant: string }, key: string): Promise<Found<Result>> {
    try {
      const read = await this.#options.cache.get(space, key)
      return this.#judge(read)
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      return { outcome: error.bypassed ? 'bypassed' : 'error' }
    }
  }

  #judge(read: CacheRead): Found<Result> {
    const entry = read.value && unpack(read.value, this.#codec)
    if (!entry) return { outcome: 'miss', version: read.version }
    const leftMs = entry.freshUntilMs - this.#options.clock.nowMs()
    const result = { result: entry.result }
    // More left than it was ever given: the clock went back, so its age is not known.
    if (leftMs > 0 && leftMs <= entry.ttlMs) return { outcome: 'hit', version: read.version, fresh: result }
    return { outcome: 'miss', version: read.version, stale: this.#mayBeStale(leftMs) ? result : undefined }
  }

  #mayBeStale(leftMs: number): boolean {
    const { staleOnErrorMs = 0 } = this.#options
    return staleOnErrorMs > 0 && -leftMs <= staleOnErrorMs
  }

  async #share(flight: string, start: () => Promise<Result>): Promise<Result> {
    const underWay = this.#flights.get(flight)
    if (underWay) return underWay
    if (this.#flights.size >= maxFlights) return start()
    // Others wait for it too, so it must not end with the call of the first.
    const started = detached(start).finally(() => this.#flights.delete(flight))
    this.#flights.set(flight, started)
    return started
  }

  async #computeAndStore(
    args: Args,
    space: { name: string; tenant: string },
    key: string,
    version: string | undefined,
  ): Promise<Result> {
    const result = await this.#compute(...args)
    const ttlMs = this.#ttlMsOf(result)
    if (version === undefined || ttlMs === undefined) return result
    const { cache, clock, staleOnErrorMs = 0 } = this.#options
    const value = pack({ freshUntilMs: clock.nowMs() + ttlMs, ttlMs, result }, this.#codec)
    try {
      await cache.set(space, key, { version, value, ttlMs: ttlMs + staleOnErrorMs })
    } catch (error) {
      // The result is there; that it could not be kept shows in the next call's outcome.
      if (!(error instanceof CacheUnavailableError)) throw error
    }
    return result
  }

  /** How long to keep a result; undefined: not at all. */
  #ttlMsOf(result: Result): number | undefined {
    const { isNegative = isAbsent, negativeTtlMs, ttlMs, jitter = 0.1, random } = this.#options
    const base = isNegative(result) ? negativeTtlMs : ttlMs
    return base === undefined ? undefined : Math.max(1, Math.round(base * (1 - jitter * random())))
  }

  #count(outcome: CacheOutcome): void {
    cacheRequested(this.#options.registry, this.#options.name, outcome)
  }
}

function isAbsent(result: unknown): boolean {
  return result === undefined || result === null
}
