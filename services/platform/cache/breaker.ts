import type { Clock } from '../clock.ts'

export interface BreakerOptions {
  /** This many failures in a row open it. */
  readonly failuresToOpen: number
  /** How long it stays open before one call may try again. */
  readonly openMs: number
  readonly clock: Clock
  readonly onChange?: (state: BreakerState) => void
}

export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * closed: calls pass; `failuresToOpen` failures in a row → open.
 * open: calls are refused; after `openMs` the next one passes as a probe → half-open.
 * half-open: all but the probe are refused; it succeeds → closed, it fails → open again.
 */
export class Breaker {
  readonly #options: BreakerOptions
  #state: BreakerState = 'closed'
  #failures = 0
  #openedAtMs = 0

  constructor(options: BreakerOptions) {
    this.#options = options
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether a call may be made now; who gets `true` must report `succeeded` or `failed`. */
  admit(): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'half-open') return false
    if (this.#options.clock.monotonicMs() - this.#openedAtMs < this.#options.openMs) return false
    this.#move('half-open')
    return true
  }

  succeeded(): void {
    this.#failures = 0
    // While open, a late answer to an early call says nothing about now.
    if (this.#state === 'half-open') this.#move('closed')
  }

  failed(): void {
    this.#failures += 1
    if (this.#state === 'closed' && this.#failures < this.#options.failuresToOpen) return
    this.#openedAtMs = this.#options.clock.monotonicMs()
    if (this.#state !== 'open') this.#move('open')
  }

  #move(state: BreakerState): void {
    this.#state = state
    this.#options.onChange?.(state)
  }
}
