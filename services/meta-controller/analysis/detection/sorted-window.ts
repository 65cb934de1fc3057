import { quantileOfSorted } from '../../../platform/statistics/order.ts'

const firstRoom = 256

/** The last `capacity` finite values, kept in order of size too: quantiles in O(1), ranks in O(log n), a push moves memory once. */
export class SortedWindow {
  readonly #capacity: number
  /** Both grow as values come, up to the capacity. */
  #byAge = new Float64Array(firstRoom)
  #sorted = new Float64Array(firstRoom)
  #next = 0
  #size = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#size
  }

  /** Takes the value in; the oldest leaves when the window is full. */
  push(value: number): void {
    const capacity = this.#capacity
    if (this.#size < capacity) {
      if (this.#size === this.#byAge.length) this.#grow()
      const place = this.countBelow(value)
      this.#sorted.copyWithin(place + 1, place, this.#size)
      this.#sorted[place] = value
      this.#size += 1
    } else this.#replace(this.#byAge[this.#next] as number, value)
    this.#byAge[this.#next] = value
    this.#next = this.#next + 1 === capacity ? 0 : this.#next + 1
  }

  #grow(): void {
    const room = Math.min(this.#capacity, 2 * this.#byAge.length)
    const [byAge, sorted] = [this.#byAge, this.#sorted]
    this.#byAge = new Float64Array(room)
    this.#byAge.set(byAge)
    this.#sorted = new Float64Array(room)
    this.#sorted.set(sorted)
  }

  /** Moves only what lies between the leaving value and the new one. */
  #replace(oldest: number, value: number): void {
    const sorted = this.#sorted
    const from = this.countBelow(oldest)
    const to = this.countBelow(value)
    if (to > from) {
      sorted.copyWithin(from, from + 1, to)
      sorted[to - 1] = value
    } else {
      sorted.copyWithin(to + 1, to, from)
      sorted[to] = value
    }
  }

  /** How many are smaller than `value`. */
  countBelow(value: number): number {
    const sorted = this.#sorted
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((sorted[middle] as number) < value) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The value of that rank, 0 the smallest; NaN beyond the size. */
  at(rank: number): number {
    return rank >= 0 && rank < this.#size ? (this.#sorted[rank] as number) : Number.NaN
  }

  /** NaN while empty. */
  quantile(q: number): number {
    return quantileOfSorted(this.#sorted.subarray(0, this.#size), q)
  }
}
