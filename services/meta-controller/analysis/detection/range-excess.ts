import type { Detector } from './detector.ts'

/**
 * How far a value lies outside everything seen before it, as a multiple of the range seen. 0 within, and while all values were equal.
 * Example: after 0 and 10, a 15 scores 0.5.
 */
export function createRangeExcess(): Detector {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  return {
    update(value) {
      const width = high - low
      const excess = width > 0 ? Math.max(0, value - high, low - value) / width : 0
      low = Math.min(low, value)
      high = Math.max(high, value)
      return excess
    },
  }
}
