import type { Detector } from './detector.ts'
import { History } from './history.ts'

export interface NeighbourOptions {
  /** Length of the stretches that are compared. */
  readonly length: number
  /** Over how many nearest stretches the distance is averaged. */
  readonly neighbours: number
  /** How many stretches before the latest are looked at. */
  readonly memory: number
  /** So many of the latest stretches do not count as neighbours: an incident must not look usual because of its own beginning. */
  readonly apart: number
}

/** Rounding errors of the running sums are wiped out so often. */
const renewEvery = 4096
/** A sum of which so small a part is left has lost its digits to what went out, and is computed afresh. */
const cancelled = 1e-9
/** With fewer values the distances would still shrink for want of company. */
const leastValues = 200

/**
 * Nearest neighbours in lag space (KNN-CAD, Burnaev & Ishimtsev 2016; left discords, Lu et al. 2022): the mean Euclidean distance of the latest
 * `length` values from the `neighbours` most similar stretches before. A squared distance changes by one term in and one out from
 * one value to the next, so a value costs O(memory) whatever the length. NaN for the first 200 values.
 * Example: on 1, 2, 1, 2, … each score is 0.
 */
export function createNeighbourDistance(options: NeighbourOptions): Detector {
  return new NeighbourDistance(options)
}

class NeighbourDistance implements Detector {
  readonly #options: NeighbourOptions
  readonly #history: History
  /** Squared distance to the stretch that ended j values ago, at place j. */
  readonly #squares: Float64Array
  /** The smallest squared distances of this round, ascending. */
  readonly #nearest: Float64Array

  constructor(options: NeighbourOptions) {
    this.#options = options
    this.#history = new History(options.length + options.memory + 1)
    this.#squares = new Float64Array(options.memory + 1)
    this.#nearest = new Float64Array(options.neighbours)
  }

  update(value: number): number {
    const history = this.#history
    const { length, memory, apart } = this.#options
    history.push(value)
    const stretches = Math.min(memory, history.seen - length)
    if (stretches < 1) return Number.NaN
    if (history.seen % renewEvery === 0) this.#renew(stretches)
    else this.#advance(stretches)
    return history.seen <= leastValues || stretches <= apart ? Number.NaN : this.#meanOfNearest(stretches)
  }

  /** One term in, one out; the stretch that has just become whole is computed afresh. */
  #advance(stretches: number): void {
    const { length, memory } = this.#options
    const { values, end, seen } = this.#history
    const squares = this.#squares
    const newest = end - 1
    const leaving = newest - length
    const known = seen - length <= memory ? stretches - 1 : stretches
    const added = values[newest] as number
    const removed = leaving >= 0 ? (values[leaving] as number) : 0
    for (let j = 1; j <= known; j++) {
      const inward = added - (values[newest - j] as number)
      const outward = removed - (values[leaving - j] as number)
      const left = outward * outward
      const square = (squares[j] as number) + inward * inward - left
      squares[j] = square < cancelled * left ? this.#history.squareOf(length, j) : square
    }
    if (known < stretches) squares[stretches] = this.#history.squareOf(length, stretches)
  }

  #renew(stretches: number): void {
    for (let j = 1; j <= stretches; j++) this.#squares[j] = this.#history.squareOf(this.#options.length, j)
  }

  #meanOfNearest(stretches: number): number {
    const squares = this.#squares
    const nearest = this.#nearest
    const wanted = nearest.length
    let kept = 0
    let limit = Number.POSITIVE_INFINITY
    for (let j = 1 + this.#options.apart; j <= stretches; j++) {
      const square = squares[j] as number
      if (square >= limit) continue
      let place = kept < wanted ? kept++ : wanted - 1
      while (place > 0 && (nearest[place - 1] as number) > square) {
        nearest[place] = nearest[place - 1] as number
        place -= 1
      }
      nearest[place] = square
      if (kept === wanted) limit = nearest[wanted - 1] as number
    }
    let sum = 0
    for (let place = 0; place < kept; place++) sum += Math.sqrt(Math.max(0, nearest[place] as number))
    return kept === 0 ? Number.NaN : sum / kept
  }
}
