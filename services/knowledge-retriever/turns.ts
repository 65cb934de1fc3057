/** As many wait for their turn already as may. */
export class TooManyWaitingError extends Error {
  override readonly name = 'TooManyWaitingError'
}

/** Lets work be done one after another, in the order in which it came; at most `maxWaiting` pieces wait. */
export class Turns {
  readonly #maxWaiting: number
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting
  }

  /** Does `work` when all that came before it has ended, well or badly. Errors: TooManyWaitingError; those of `work`. */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#maxWaiting) {
      throw new TooManyWaitingError(`${this.#maxWaiting} changes wait for their turn: try again later`)
    }
    this.#waiting += 1
    const turn = this.#last.then(() => {
      this.#waiting -= 1
      return work()
    })
    this.#last = turn.catch(() => {})
    return turn
  }

  /** Resolves when all that has come so far has ended. */
  async idle(): Promise<void> {
    await this.#last
  }
}
