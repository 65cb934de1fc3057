import type { Detector } from './detector.ts'

export interface NeighbourOptions {
  /** Length of the stretches that are compared. */
  readonly lag: number
  /** Over how many nearest stretches the distance is averaged. */
  readonly neighbours: number
  /** How many stretches before the latest are looked at. */
  readonly memory: number
}

/** Rounding errors of the running sums are wiped out so often. */
const renewEvery = 4096

/**
 * k nearest neighbours in lag space (as in KNN-CAD, Burnaev & Ishimtsev 2016): the mean Euclidean distance of the latest `lag`
 * values from the `neighbours` most similar stretches among the `memory` before. A squared distance changes by one term in and
 * one out from one value to the next, so a value costs O(memory) whatever the lag. 0 until one stretch lies behind.
 * Example: on 1, 2, 1, 2, … with lag 2 each score from the fifth value on is 0 with one neighbour.
 */
export function createNeighbourDistance({ lag, neighbours, memory }: NeighbourOptions): Detector {
  return new NeighbourDistance(lag, neighbours, memory)
}

class NeighbourDistance implements Detector {
  readonly #lag: number
  readonly #memory: number
  /** The latest values in order; twice as long as needed, so that it is moved back rarely. */
  readonly #values: Float64Array
  /** Squared distance to the stretch that ended j values ago, at place j. */
  readonly #squares: Float64Array
  /** The smallest squared distances of this round, ascending. */
  readonly #nearest: Float64Array
  #end = 0
  #seen = 0

  constructor(lag: number, neighbours: number, memory: number) {
    this.#lag = lag
    this.#memory = memory
    this.#values = new Float64Array(2 * (lag + memory + 1))
    this.#squares = new Float64Array(memory + 1)
    this.#nearest = new Float64Array(neighbours)
  }

  update(value: number): number {
    this.#append(value)
    const candidates = Math.min(this.#memory, this.#seen - this.#lag)
    if (candidates < 1) return 0
    if (this.#seen % renewEvery === 0) this.#renew(candidates)
    else this.#advance(candidates)
    return this.#meanOfNearest(candidates)
  }

  #append(value: number): void {
    const values = this.#values
    if (this.#end === values.length) {
      values.copyWithin(0, values.length / 2)
      this.#end = values.length / 2
    }
    values[this.#end] = value
    this.#end += 1
    this.#seen += 1
  }

  /** One term in, one out; the stretch that has just become whole is computed afresh. */
  #advance(candidates: number): void {
    const values = this.#values
    const squares = this.#squares
    const newest = this.#end - 1
    const leaving = newest - this.#lag
    const whole = this.#seen - this.#lag
    const known = whole <= this.#memory ? candidates - 1 : candidates
    const added = values[newest] as number
    const removed = leaving >= 0 ? (values[leaving] as number) : 0
    for (let j = 1; j <= known; j++) {
      const inward = added - (values[newest - j] as number)
      const outward = removed - (values[leaving - j] as number)
      squares[j] = (squares[j] as number) + inward * inward - outward * outward
    }
    if (known < candidates) squares[candidates] = this.#squareOf(candidates)
  }

  #renew(candidates: number): void {
    for (let j = 1; j <= candidates; j++) this.#squares[j] = this.#squareOf(j)
  }

  #squareOf(j: number): number {
    const values = this.#values
    let sum = 0
    for (let place = this.#end - this.#lag; place < this.#end; place++) {
      const difference = (values[place] as number) - (values[place - j] as number)
      sum += difference * difference
    }
    return sum
  }

  #meanOfNearest(candidates: number): number {
    const { squares, nearest } = { squares: this.#squares, nearest: this.#nearest }
    const wanted = nearest.length
    let kept = 0
    let limit = Number.POSITIVE_INFINITY
    for (let j = 1; j <= candidates; j++) {
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
    return sum / kept
  }
}
