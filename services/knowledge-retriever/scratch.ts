import { invariant } from '../platform/invariant.ts'

/** What an array is used for; each has its own. */
export type ScratchUse =
  | 'word scores'
  | 'word masks'
  | 'word passages'
  | 'question bits'
  | 'direct scores'
  | 'title shares'
  | 'reached'
  | 'settled'
  | 'residual'
  | 'waiting'

/** Room for more than was asked for: graphs grow. */
const headroom = 1.25

/**
 * Arrays as long as the graph, which its questions use one after another. Made anew for each question they would be megabytes
 * of garbage, and a collection of all garbage takes a second where 100,000 passages are known.
 */
export class Scratch {
  readonly #floats = new Map<ScratchUse, Float64Array>()
  readonly #integers = new Map<ScratchUse, Int32Array>()
  #question = 0

  /** Begins a question, which ends the one before. Gives what fails, as a bug, once the next one has begun. */
  begin(): () => void {
    this.#question += 1
    const own = this.#question
    return () =>
      invariant(own === this.#question, 'a search is over when the next one in the same graph begins')
  }

  /** So many zeros. */
  floats(use: ScratchUse, length: number): Float64Array {
    let array = this.#floats.get(use)
    if (array === undefined || array.length < length) {
      array = new Float64Array(Math.ceil(length * headroom))
      this.#floats.set(use, array)
    }
    return array.subarray(0, length).fill(0)
  }

  /** So many zeros. */
  integers(use: ScratchUse, length: number): Int32Array {
    let array = this.#integers.get(use)
    if (array === undefined || array.length < length) {
      array = new Int32Array(Math.ceil(length * headroom))
      this.#integers.set(use, array)
    }
    return array.subarray(0, length).fill(0)
  }
}
