import type { Clock } from '../platform/clock.ts'
import type { Check } from './change.ts'

/** A gate said no; the message is the reason, for people. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

/** What passing a gate gives. */
export interface Passed<Result> {
  readonly result: Result
  /** One line for people, with numbers. */
  readonly detail: string
  /** The sandbox tier that it ran in, if it ran code of the target. */
  readonly tier?: string
}

/** The longest detail that is kept of a gate, so that a change fits into one event of the journal. */
const maxDetailLength = 3000

/** The gates that a change has gone through, in order. */
export class Gates {
  readonly checks: Check[] = []
  readonly #clock: Clock
  readonly #report: (step: string, detail: string) => void
  readonly #onCheck: (check: Check) => void

  constructor(options: {
    readonly clock: Clock
    readonly report: (step: string, detail: string) => void
    readonly onCheck: (check: Check) => void
  }) {
    this.#clock = options.clock
    this.#report = options.report
    this.#onCheck = options.onCheck
  }

  /** Runs a gate and records it. Errors: Refused, recorded as not passed; anything else as it is, and nothing is recorded. */
  async pass<Result>(name: string, gate: () => Promise<Passed<Result>>): Promise<Result> {
    const startedMs = this.#clock.monotonicMs()
    try {
      const { result, detail, tier = '' } = await gate()
      this.#record({ name, passed: true, detail, tier, startedMs })
      return result
    } catch (error) {
      if (error instanceof Refused)
        this.#record({ name, passed: false, detail: error.message, tier: '', startedMs })
      throw error
    }
  }

  #record({ startedMs, detail, ...check }: Omit<Check, 'durationMs'> & { startedMs: number }): void {
    const durationMs = Math.round(this.#clock.monotonicMs() - startedMs)
    const recorded = { ...check, detail: detail.slice(0, maxDetailLength), durationMs }
    this.checks.push(recorded)
    this.#onCheck(recorded)
    this.#report(check.name, detail.split('\n', 1)[0] ?? '')
  }
}
