import type { Detector } from './detector.ts'
import { SortedWindow } from './sorted-window.ts'

const memory = 2000
const forgetting = 0.99
const allowance = 0.5
const largestStep = 6

/**
 * Leaky CUSUM (Page 1954, with exponential forgetting): how long and how far values have stayed on one side of the median of
 * the last 2,000, in robust standard deviations; upwards or downwards, whichever is more. 0 for a constant series.
 * Example: after four times 1, a 100 scores 5.5: six deviations at most, less the allowance.
 */
export function createCusum(): Detector {
  const window = new SortedWindow(memory)
  let up = 0
  let down = 0
  return {
    update(value) {
      const steps = window.size === 0 ? 0 : deviation(value, window)
      window.push(value)
      up = Math.max(0, forgetting * up + steps - allowance)
      down = Math.max(0, forgetting * down - steps - allowance)
      return Math.max(up, down)
    },
  }
}

/** Distance from the median in units of the robust standard deviation, at most 6 either way. */
export function deviation(value: number, window: SortedWindow): number {
  const difference = value - window.quantile(0.5)
  if (difference === 0) return 0
  const middle = (window.quantile(0.75) - window.quantile(0.25)) / 1.349
  const wide = (window.quantile(0.95) - window.quantile(0.05)) / 3.29
  const scale = Math.max(middle, wide)
  return Math.max(-largestStep, Math.min(largestStep, difference / scale))
}
