/** Ascending copy; NaN last. */
export function ascending(values: Iterable<number>): Float64Array {
  return Float64Array.from(values).sort()
}

/**
 * The quantile `q` of ascending values, interpolated between neighbours (Hyndman and Fan's type 7, as R and NumPy have it).
 * NaN without values. `quantileOfSorted([1, 2, 3, 4], 0.5)` is 2.5.
 */
export function quantileOfSorted(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return Number.NaN
  const place = Math.min(1, Math.max(0, q)) * (sorted.length - 1)
  const below = Math.floor(place)
  const low = sorted[below] as number
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number
  return low === high ? low : low + (high - low) * (place - below)
}

/** The middle value; NaN without values. */
export function medianOf(values: Iterable<number>): number {
  return quantileOfSorted(ascending(values), 0.5)
}

/** 0 without values. */
export function meanOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let index = 0; index < values.length; index++) sum += values[index] as number
  return values.length === 0 ? 0 : sum / values.length
}

/** Unbiased variance; 0 with fewer than two values. */
export function varianceOf(values: ArrayLike<number>): number {
  if (values.length < 2) return 0
  const mean = meanOf(values)
  let sum = 0
  for (let index = 0; index < values.length; index++) sum += ((values[index] as number) - mean) ** 2
  return sum / (values.length - 1)
}
