import { type Direction, scoreOf } from './anomaly.ts'
import { type Count, countTail } from './counts.ts'
import { scoreFit, TailCalibrator } from './tail.ts'

/** A count judged as it arrives. */
export interface CountVerdict {
  readonly pValue: number
  /** Events per exposure, now and in the memory before. */
  readonly value: number
  readonly reference: number
}

/** One slot, and the last 4 and 16 together: a rate that doubles shows in sums before it shows in a slot. */
const spans = [1, 4, 16] as const
const longest = 16
/** The weight of a slot in the memory halves in so many slots. */
const halfLife = 2000
const keep = 0.5 ** (1 / halfLife)
const leastSlots = 30

/**
 * A stream of counts (errors of requests, requests in seconds): each new slot, and the sums of the last 4 and 16, against the
 * rate of the slots before those, by the gamma-Poisson tail with the dispersion that earlier sums of that length had; the
 * smallest probability times three, but no rarer than such probabilities have been before. pValue 1 during the first 30 usable slots.
 * Example: no errors in 500 slots of 100 requests, then 20 errors in one: pValue below 1e-9.
 */
export class CountWatch {
  readonly #direction: Direction
  readonly #recent: Count[] = []
  readonly #dispersion = spans.map(() => ({ sum: 0, weight: 0 }))
  readonly #tail = new TailCalibrator(scoreFit)
  #events = 0
  #exposure = 0
  #seen = 0

  constructor(direction: Direction) {
    this.#direction = direction
  }

  /** A slot without exposure, or not finite, tells nothing and changes nothing. */
  update(count: Count): CountVerdict {
    const value = count.events / count.exposure
    if (!(Number.isFinite(value) && count.exposure > 0 && count.events >= 0))
      return { pValue: 1, value: Number.NaN, reference: this.#rate() }
    this.#recent.push(count)
    if (this.#recent.length > longest) this.#remember(this.#recent.shift() as Count)
    const reference = this.#rate()
    const byModel = this.#judge()
    this.#seen += 1
    const pValue = this.#seen <= leastSlots ? 1 : Math.max(byModel, this.#tail.update(scoreOf(byModel)))
    return { pValue, value, reference }
  }

  #rate(): number {
    return this.#exposure > 0 ? this.#events / this.#exposure : Number.NaN
  }

  #remember(count: Count): void {
    this.#events = keep * this.#events + count.events
    this.#exposure = keep * this.#exposure + count.exposure
  }

  #judge(): number {
    let smallest = 1
    spans.forEach((span, index) => {
      if (this.#recent.length < span || this.#exposure === 0) return
      const now = sumOf(this.#recent, span)
      const before = { events: this.#events, exposure: this.#exposure }
      const tails = countTail(now, before, this.#dispersionAt(index))
      const { upper, lower } = tails
      const pValue =
        this.#direction === 'up' ? upper : this.#direction === 'down' ? lower : 2 * Math.min(upper, lower)
      smallest = Math.min(smallest, pValue)
      this.#learnDispersion(index, now, before, tails.expected)
    })
    return Math.min(1, smallest * spans.length)
  }

  #dispersionAt(index: number): number {
    const { sum, weight } = this.#dispersion[index]!
    return Math.max(1, sum / Math.max(weight, 1))
  }

  #learnDispersion(index: number, now: Count, before: Count, expected: number): void {
    if (!(expected > 0)) return
    const own = this.#dispersion[index]!
    const variance = expected * (1 + now.exposure / before.exposure)
    // An outage must not teach that outages are usual: one slot counts as ten standard deviations at most.
    const square = Math.min(100, (now.events - expected) ** 2 / variance)
    own.sum = keep * own.sum + square
    own.weight = keep * own.weight + 1
  }
}

function sumOf(counts: readonly Count[], span: number): Count {
  let events = 0
  let exposure = 0
  for (let index = counts.length - span; index < counts.length; index++) {
    const count = counts[index]!
    events += count.events
    exposure += count.exposure
  }
  return { events, exposure }
}
