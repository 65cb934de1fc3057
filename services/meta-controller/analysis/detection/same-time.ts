import type { Detector } from './detector.ts'
import { History } from './history.ts'

const dayMs = 24 * 3_600_000
const days = 7
/** A day's course may come so many slots earlier or later. */
const mostShift = 6
const stepsToLearn = 50
const leastSlotsPerDay = 4
/** Finer sampling than every 30 s is left to the other detectors: a week of it would be too much to keep. */
const mostSlotsPerDay = 2880
const renewEvery = 4096
/** A sum of which so small a part is left has lost its digits to what went out, and is computed afresh. */
const cancelled = 1e-9

/**
 * The same time of day: the Euclidean distance of the latest `length` values from the most similar stretch at the same time,
 * six slots earlier or later, of the seven days before. NaN until the sampling step is known (50 values) and a day has passed,
 * and for ever with steps below 30 s or above 6 h.
 * Example: a daily course that repeats exactly scores 0 from the second day on.
 */
export function createSameTimeDistance({ length }: { readonly length: number }): Detector {
  const step = new StepLearner()
  let past: SameTime | undefined
  return {
    update(value, atMs) {
      if (past !== undefined) return past.update(value)
      const early = step.update(value, atMs)
      if (early === undefined) return Number.NaN
      past = new SameTime(length, step.slotsPerDay)
      for (const each of early) past.update(each)
      return Number.NaN
    },
  }
}

/** Keeps the first values until their median time step is known. */
class StepLearner {
  readonly #steps: number[] = []
  readonly #early: number[] = []
  #lastMs = Number.NaN
  slotsPerDay = 0

  /** The values so far, once, when the step has become known and is one that days can be compared by. */
  update(value: number, atMs: number): readonly number[] | undefined {
    if (this.#steps.length === stepsToLearn) return undefined
    const step = atMs - this.#lastMs
    this.#lastMs = atMs
    this.#early.push(value)
    if (this.#early.length > mostSlotsPerDay) this.#early.shift()
    if (!(step > 0)) return undefined
    if (this.#steps.push(step) < stepsToLearn) return undefined
    const median = this.#steps.toSorted((a, b) => a - b)[stepsToLearn >> 1] as number
    this.slotsPerDay = Math.round(dayMs / median)
    const fits = this.slotsPerDay >= leastSlotsPerDay && this.slotsPerDay <= mostSlotsPerDay
    return fits ? this.#early : undefined
  }
}

class SameTime {
  readonly #length: number
  readonly #history: History
  /** How far back the stretches lie that are compared, ascending, and the squared distance to each. */
  readonly #lags: Int32Array
  readonly #squares: Float64Array
  /** How many of the lags are within what was seen. */
  #whole = 0

  constructor(length: number, slotsPerDay: number) {
    this.#length = length
    this.#lags = lagsOf(slotsPerDay)
    this.#squares = new Float64Array(this.#lags.length)
    this.#history = new History(length + 1 + (this.#lags.at(-1) as number))
  }

  update(value: number): number {
    const history = this.#history
    history.push(value)
    if (history.seen % renewEvery === 0) {
      for (let each = 0; each < this.#whole; each++)
        this.#squares[each] = history.squareOf(this.#length, this.#lags[each] as number)
    } else this.#advance()
    while (
      this.#whole < this.#lags.length &&
      (this.#lags[this.#whole] as number) + this.#length <= history.seen
    ) {
      this.#squares[this.#whole] = history.squareOf(this.#length, this.#lags[this.#whole] as number)
      this.#whole += 1
    }
    return this.#whole === 0 ? Number.NaN : Math.sqrt(this.#smallest())
  }

  #advance(): void {
    const { values, end } = this.#history
    const newest = end - 1
    const leaving = newest - this.#length
    const added = values[newest] as number
    const removed = values[leaving] as number
    for (let each = 0; each < this.#whole; each++) {
      const lag = this.#lags[each] as number
      const inward = added - (values[newest - lag] as number)
      const outward = removed - (values[leaving - lag] as number)
      const left = outward * outward
      const square = (this.#squares[each] as number) + inward * inward - left
      this.#squares[each] = square < cancelled * left ? this.#history.squareOf(this.#length, lag) : square
    }
  }

  #smallest(): number {
    let smallest = Number.POSITIVE_INFINITY
    for (let each = 0; each < this.#whole; each++)
      smallest = Math.min(smallest, this.#squares[each] as number)
    return Math.max(0, smallest)
  }
}

function lagsOf(slotsPerDay: number): Int32Array {
  const shift = Math.min(mostShift, Math.floor(slotsPerDay / 4))
  const lags: number[] = []
  for (let day = 1; day <= days; day++)
    for (let off = -shift; off <= shift; off++) lags.push(day * slotsPerDay + off)
  return Int32Array.from(lags)
}
