import type { Detector } from './detector.ts'
import { SortedWindow } from './sorted-window.ts'

const longestContext = 4
/** The lowest and the highest symbol are what lies beyond the 1st and the 99th percentile. */
const symbols = 12
const rangeMemory = 2000
const leastForRange = 20
const mostCounted = 255
const fading = 1 - 1 / mostCounted
/** What the shorter context says counts as so many observations in the longer one. */
const trust = 2
const smoothing = 5

/**
 * Surprise in context: -ln of the probability of a value's twelfth of the range after the four before it, learnt from how often it
 * followed them, and the shorter contexts where the longer is rare (blended as in PPM, Cleary & Witten 1984); mean of the last five.
 * NaN for the first 20 values.
 * Example: in a cycle 1, 2, 3 that has been seen fifty times, a 2 after 2 scores above 0.5, each value of the cycle below 0.1.
 */
export function createContextSurprise(): Detector {
  return new ContextSurprise()
}

class ContextSurprise implements Detector {
  readonly #range = new SortedWindow(rangeMemory)
  /** By context's length, then by context: how often each symbol followed, and at last the sum. */
  readonly #counts = Array.from({ length: longestContext + 1 }, () => new Map<number, Float32Array>())
  readonly #recent: number[] = []
  readonly #latest = new Float64Array(smoothing)
  #scored = 0

  update(value: number): number {
    const known = this.#range.size >= leastForRange
    const symbol = known ? this.#symbolOf(value) : 0
    this.#range.push(value)
    if (!known) return Number.NaN
    this.#latest[this.#scored % smoothing] = -Math.log(this.#learn(symbol))
    this.#scored += 1
    this.#recent.unshift(symbol)
    if (this.#recent.length > longestContext) this.#recent.pop()
    return this.#latest.reduce((sum, each) => sum + each, 0) / smoothing
  }

  #symbolOf(value: number): number {
    const low = this.#range.quantile(0.01)
    const high = this.#range.quantile(0.99)
    if (value < low) return 0
    if (value > high) return symbols - 1
    if (!(high > low)) return symbols >> 1
    return Math.min(symbols - 1, 1 + Math.floor(((value - low) / (high - low)) * (symbols - 2)))
  }

  /** The symbol's probability by what was counted before; then it is counted in. */
  #learn(symbol: number): number {
    let probability = 1 / symbols
    let context = 0
    for (let length = 0; length <= this.#recent.length; length++) {
      if (length > 0) context = context * (symbols + 1) + (this.#recent[length - 1] as number) + 1
      const counts = this.#countsOf(length, context)
      const total = counts[symbols] as number
      probability = ((counts[symbol] as number) + trust * probability) / (total + trust)
      count(counts, symbol)
    }
    return probability
  }

  #countsOf(length: number, context: number): Float32Array {
    const table = this.#counts[length] as Map<number, Float32Array>
    let counts = table.get(context)
    if (counts === undefined) {
      counts = new Float32Array(symbols + 1)
      table.set(context, counts)
    }
    return counts
  }
}

/** Once the sum has reached its most, everything fades a little with each observation, so that old habits give way. */
function count(counts: Float32Array, symbol: number): void {
  if ((counts[symbols] as number) >= mostCounted) {
    for (let each = 0; each <= symbols; each++) counts[each] = (counts[each] as number) * fading
  }
  counts[symbol] = (counts[symbol] as number) + 1
  counts[symbols] = (counts[symbols] as number) + 1
}
