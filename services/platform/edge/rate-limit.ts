import type { Clock } from '../clock.ts'

/** What a consumer has left in this minute. */
export interface RateState {
  readonly allowed: boolean
  /** In the form of Kong's rate-limiting plugin. */
  readonly headers: Readonly<Record<string, string>>
}

const windowMs = 60_000

/** Counts requests per consumer in fixed minutes of the wall clock, as Kong's `local` policy does. */
export class RateLimit {
  readonly #perMinute: number
  readonly #clock: Clock
  /** The counts of the current minute only, so it is bounded by the number of consumers. */
  #counts = new Map<string, number>()
  #window = 0

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute
    this.#clock = clock
  }

  /** Counts a request and tells whether it may go on; a refused one is not counted. */
  take(consumerId: string): RateState {
    const nowMs = this.#clock.nowMs()
    const window = Math.floor(nowMs / windowMs)
    // A clock that steps back must not open the window anew.
    if (window > this.#window || window < this.#window - 1) {
      this.#window = window
      this.#counts = new Map()
    }
    const used = this.#counts.get(consumerId) ?? 0
    const allowed = used < this.#perMinute
    if (allowed) this.#counts.set(consumerId, used + 1)
    const resetSeconds = Math.max(1, Math.ceil(((this.#window + 1) * windowMs - nowMs) / 1000))
    return {
      allowed,
      headers: this.#headers(allowed ? this.#perMinute - used - 1 : 0, resetSeconds, allowed),
    }
  }

  #headers(remaining: number, resetSeconds: number, allowed: boolean): Record<string, string> {
    const headers: Record<string, string> = {
      'x-ratelimit-limit-minute': String(this.#perMinute),
      'x-ratelimit-remaining-minute': String(remaining),
      'ratelimit-limit': String(this.#perMinute),
      'ratelimit-remaining': String(remaining),
      'ratelimit-reset': String(resetSeconds),
    }
    if (!allowed) headers['retry-after'] = String(resetSeconds)
    return headers
  }
}
