/** Thrown when as many executions wait as may. Becomes `resource_exhausted`. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
}

/**
 * Numbered places for executions. Whoever finds none free waits in line; the line has an end. The number tells apart
 * what runs at the same time, so that each has a user id of its own.
 */
export class Slots {
  readonly #free: number[]
  readonly #waiting: ((slot: number) => void)[] = []
  readonly #maxWaiting: number

  constructor(options: { count: number; maxWaiting: number }) {
    this.#free = Array.from({ length: options.count }, (_, index) => index)
    this.#maxWaiting = options.maxWaiting
  }

  /** Resolves with a slot; it must be given back. Errors: QueueFullError at once, or the signal's reason. */
  async take(signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted()
    const slot = this.#free.shift()
    if (slot !== undefined) return slot
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new QueueFullError(`${this.#waiting.length} executions wait already: try again later`)
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(onSlot), 1)
        reject(signal?.reason)
      }
      const onSlot = (given: number) => {
        signal?.removeEventListener('abort', onAbort)
        resolve(given)
      }
      this.#waiting.push(onSlot)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  give(slot: number): void {
    const next = this.#waiting.shift()
    if (next) next(slot)
    else this.#free.push(slot)
  }
}
