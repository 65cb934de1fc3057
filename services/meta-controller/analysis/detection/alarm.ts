export const weekMs = 7 * 24 * 3_600_000

/** What a false alarm may cost: how many a week, over all metrics of one service. */
export interface Budget {
  readonly perWeek: number
  /** Time between two values of a metric. */
  readonly slotMs: number
  /** How many metrics share the budget. */
  readonly metrics: number
}

/**
 * The probability at which a value of one metric is an alarm, so that a service under normal operation has at most
 * `perWeek` of them on average (Bonferroni over metrics and slots).
 * Example: one a week, slots of 5 minutes, 3 metrics: 1 / (2016 * 3).
 */
export function alarmProbability({ perWeek, slotMs, metrics }: Budget): number {
  return Math.min(1, (perWeek * slotMs) / (weekMs * Math.max(1, metrics)))
}

/** How long an alarm silences what follows: so many values, or that share of the values so far where this is more. */
export interface Rest {
  readonly slots: number
  readonly share: number
}

/**
 * One alarm, then silence for the rest period, so that one incident is told once.
 * Example: threshold 3, rest of 2 slots: of the scores 0, 3, 9, 9, 3 the second and the fifth are alarms.
 */
export class AlarmPolicy {
  readonly #threshold: number
  readonly #rest: Rest
  #seen = 0
  #quietUntil = 0

  /** `threshold`: the least score, such as -log10 of `alarmProbability`, that is an alarm. */
  constructor(threshold: number, rest: Rest) {
    this.#threshold = threshold
    this.#rest = rest
  }

  /** Whether a score like this would be silenced if it came next. */
  get resting(): boolean {
    return this.#seen < this.#quietUntil
  }

  /** Whether this score raises an alarm. */
  update(score: number): boolean {
    const silent = this.resting
    const place = this.#seen
    this.#seen += 1
    if (silent || !(score >= this.#threshold)) return false
    this.#quietUntil = place + 1 + Math.floor(Math.max(this.#rest.slots, this.#rest.share * place))
    return true
  }
}
