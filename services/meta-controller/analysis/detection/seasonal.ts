import type { Detector } from './detector.ts'
import { SortedWindow } from './sorted-window.ts'

const dayMs = 24 * 3_600_000
const days = 7
const slotsAround = 3
const stepsToLearn = 50
/** Finer sampling than every 30 s is left to the other detectors: a week of it would not fit. */
const mostSlotsPerDay = 2880
const leastSlotsPerDay = 4
const scaleMemory = 2000
const smoothing = 5

/**
 * Seasonal envelope: how far a value lies outside what the same time of day, and three slots either side, showed on up to seven
 * days before, plus 0.3 of its distance from their median; in units of what is usual, as the mean of the last five. 0 until
 * the sampling step is known (50 values) and a day has passed, and for steps below 30 s or above 6 h.
 */
export function createSeasonalEnvelope(): Detector {
  return new SeasonalEnvelope()
}

class SeasonalEnvelope implements Detector {
  readonly #steps: number[] = []
  readonly #early: number[] = []
  readonly #scale = new SortedWindow(scaleMemory)
  readonly #latest = new Float64Array(smoothing)
  readonly #around = new Float64Array(days * (2 * slotsAround + 1))
  #values = new Float64Array(0)
  #period = 0
  #seen = 0
  #scored = 0
  #lastMs = Number.NaN

  update(value: number, atMs: number): number {
    if (this.#steps.length < stepsToLearn) return this.#learnStep(value, atMs)
    if (this.#period === 0) return 0
    const outside = this.#seen >= this.#period + slotsAround ? this.#outside(value) : Number.NaN
    this.#values[this.#seen % this.#values.length] = value
    this.#seen += 1
    return Number.isNaN(outside) ? 0 : this.#smoothed(outside)
  }

  #learnStep(value: number, atMs: number): number {
    const step = atMs - this.#lastMs
    this.#lastMs = atMs
    this.#early.push(value)
    if (!(step > 0)) return 0
    this.#steps.push(step)
    if (this.#steps.length < stepsToLearn) return 0
    const median = this.#steps.toSorted((a, b) => a - b)[stepsToLearn >> 1] as number
    const period = Math.round(dayMs / median)
    if (period < leastSlotsPerDay || period > mostSlotsPerDay) return 0
    this.#period = period
    this.#values = new Float64Array(days * period + slotsAround + 1)
    for (const each of this.#early) this.#values[this.#seen++ % this.#values.length] = each
    return 0
  }

  #outside(value: number): number {
    const around = this.#around
    const length = this.#values.length
    let count = 0
    for (let day = 1; day <= days; day++) {
      const centre = this.#seen - day * this.#period
      for (let slot = centre - slotsAround; slot <= centre + slotsAround; slot++) {
        if (slot < 0) continue
        const each = this.#values[slot % length] as number
        let place = count++
        while (place > 0 && (around[place - 1] as number) > each) {
          around[place] = around[place - 1] as number
          place -= 1
        }
        around[place] = each
      }
    }
    if (count === 0) return Number.NaN
    const median = (around[count >> 1] as number) / 2 + (around[(count - 1) >> 1] as number) / 2
    const beyond = Math.max(0, value - (around[count - 1] as number), (around[0] as number) - value)
    return beyond + 0.3 * Math.abs(value - median)
  }

  #smoothed(outside: number): number {
    const usual = Math.max(1.4826 * this.#scale.quantile(0.5), this.#scale.quantile(0.9) / 1.645)
    this.#scale.push(outside)
    this.#latest[this.#scored % smoothing] = usual > 0 ? outside / usual : 0
    this.#scored += 1
    let sum = 0
    for (const each of this.#latest) sum += each
    return sum / smoothing
  }
}
