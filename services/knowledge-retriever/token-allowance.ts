import type { Clock } from '../platform/clock.ts'

/**
 * The tokens that this process may spend on a day (UTC). What is under way counts with the most that it can cost; whoever
 * finds no room waits for it. The llm-adapter keeps its own budget for all who use it, which a restart does not renew.
 */
export class TokenAllowance {
  readonly tokensPerDay: number
  readonly #clock: Clock
  #day = ''
  #spent = 0
  #reserved = 0
  #waiting: (() => void)[] = []

  constructor(options: { tokensPerDay: number; clock: Clock }) {
    this.tokensPerDay = options.tokensPerDay
    this.#clock = options.clock
  }

  /** Tokens of today that are neither spent nor set aside. */
  get left(): number {
    this.#turnPage()
    return this.tokensPerDay - this.#spent - this.#reserved
  }

  /** Until the day ends. */
  get msLeftOfDay(): number {
    const dayMs = 24 * 60 * 60 * 1000
    return dayMs - (this.#clock.nowMs() % dayMs)
  }

  /** Sets the most that a request can cost aside; false when the day has not that much. The reservation is to be settled once. */
  async reserve(most: number): Promise<boolean> {
    while (this.left < most) {
      if (this.#reserved === 0) return false
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#reserved += most
    return true
  }

  settle(most: number, cost: number): void {
    this.#turnPage()
    this.#reserved -= most
    this.#spent += cost
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #turnPage(): void {
    const today = new Date(this.#clock.nowMs()).toISOString().slice(0, 10)
    if (today === this.#day) return
    this.#day = today
    this.#spent = 0
  }
}
