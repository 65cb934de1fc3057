/** Why a watchdog barked. */
export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError'
}

/** A signal that follows another one and besides aborts, with a TimeLimitError, unless it is fed in time. Closed by who made it. */
export class Watchdog {
  readonly #controller = new AbortController()
  readonly #parent: AbortSignal
  readonly #follow = () => this.#controller.abort(this.#parent.reason)
  #timer: NodeJS.Timeout | undefined

  constructor(parent: AbortSignal, limitMs: number) {
    this.#parent = parent
    if (parent.aborted) this.#follow()
    else parent.addEventListener('abort', this.#follow, { once: true })
    this.feed(limitMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Starts the time anew. */
  feed(limitMs: number): void {
    clearTimeout(this.#timer)
    const bark = () =>
      this.#controller.abort(new TimeLimitError(`no answer within ${Math.round(limitMs)} ms`))
    this.#timer = setTimeout(bark, Math.max(0, limitMs))
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#parent.removeEventListener('abort', this.#follow)
  }
}
