import { weekMs } from './detector.ts'

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

/** One alarm, then silence for `restSlots` values, so that one incident is told once. */
export class AlarmPolicy {
  readonly #probability: number
  readonly #restSlots: number
  #quiet = 0

  constructor(budget: Budget, restSlots: number) {
    this.#probability = alarmProbability(budget)
    this.#restSlots = restSlots
  }

  /** Whether this p-value raises an alarm. */
  update(pValue: number): boolean {
    if (this.#quiet > 0) {
      this.#quiet -= 1
      return false
    }
    if (!(pValue <= this.#probability)) return false
    this.#quiet = this.#restSlots
    return true
  }
}
