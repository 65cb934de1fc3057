/** What has been started and is to be closed, latest first. States: open, then closing for good. */
export class Closers {
  readonly #stack: { name: string; close: () => void | Promise<void> }[] = []
  #closing: Promise<void> | undefined
  #current: string | undefined

  /** Remembers how to close what was just started. Once closing has begun, it is closed at once. */
  add(name: string, close: () => void | Promise<void>): void {
    this.#stack.push({ name, close })
    if (this.#closing === undefined) return
    const again = () => this.#closeAll()
    this.#closing = this.#closing.then(again, again)
    // Whoever calls close() hears of it; if nobody does, it is not an error of its own.
    this.#closing.catch(() => {})
  }

  /** What is being closed right now. */
  get current(): string | undefined {
    return this.#current
  }

  /** Closes all in reverse, one after the other, whatever fails; idempotent. Errors: AggregateError of what failed. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  async #closeAll(): Promise<void> {
    const errors: Error[] = []
    for (let top = this.#stack.pop(); top !== undefined; top = this.#stack.pop()) {
      this.#current = top.name
      try {
        await top.close()
      } catch (cause) {
        errors.push(new Error(`${top.name} did not close`, { cause }))
      }
    }
    this.#current = undefined
    if (errors.length > 0) throw new AggregateError(errors, errors.map((error) => error.message).join('; '))
  }
}
