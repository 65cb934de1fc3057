import { Code, ConnectError } from '@connectrpc/connect'

/** Counts the calls at work, refuses what is too many, and tells when all have ended. States: open, then closed. */
export class Gate {
  readonly #maxInside: number
  #inside = 0
  #closed = false
  #whenEmpty: (() => void) | undefined

  constructor(maxInside: number) {
    this.#maxInside = maxInside
  }

  /** Lets a call in. Errors: the reason why it may not. */
  enter(): ConnectError | undefined {
    if (this.#closed) return new ConnectError('the server is draining', Code.Unavailable)
    if (this.#inside >= this.#maxInside) {
      return new ConnectError(
        `more than ${this.#maxInside} calls at once; try again later`,
        Code.ResourceExhausted,
      )
    }
    this.#inside += 1
    return undefined
  }

  leave(): void {
    this.#inside -= 1
    if (this.#inside === 0) this.#whenEmpty?.()
  }

  /** Lets nobody in any more; resolves when the last call has left. */
  close(): Promise<void> {
    this.#closed = true
    if (this.#inside === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenEmpty = resolve
    })
  }
}
