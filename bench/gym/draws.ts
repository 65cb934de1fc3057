/**
 * Random numbers that are looked up rather than drawn: each follows from a key and a purpose alone, so that the same request has
 * the same luck in every run, whatever else happens in it (common random numbers; Glasserman and Yao 1992).
 * Keys are made by `mix` along the path of calls: seed, request, edge, attempt.
 */

/** A key for what lies one step below `key`; both are 32-bit integers. The mixer is Chris Wellons's "triple32". */
export function mix(key: number, step: number): number {
  let hash = key ^ Math.imul(step + 0x9e3779b9, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 17), 0xed5ad4bb)
  hash = Math.imul(hash ^ (hash >>> 11), 0xac4c1b51)
  hash = Math.imul(hash ^ (hash >>> 15), 0x31848bab)
  return hash ^ (hash >>> 14)
}

/** Uniform between 0 and 1, never either. */
export function uniformOf(key: number, purpose: number): number {
  return ((mix(key, purpose) >>> 0) + 0.5) / 2 ** 32
}

/** Standard normal (Box and Muller 1958). */
export function normalOf(key: number, purpose: number): number {
  const first = mix(key, purpose)
  const radius = Math.sqrt(-2 * Math.log(((first >>> 0) + 0.5) / 2 ** 32))
  return radius * Math.cos(2 * Math.PI * uniformOf(first, 1))
}

/** Cumulative shares of keys whose popularity falls as rank to the power of −skew (Zipf's law); skew 0 makes all equal. */
export function popularityOf(count: number, skew: number): Float64Array {
  const shares = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + 1) ** -skew
    shares[rank] = sum
  }
  for (let rank = 0; rank < count; rank++) shares[rank]! /= sum
  return shares
}

/** The rank whose share of the line from 0 to 1 holds `u`. */
export function rankOf(popularity: Float64Array, u: number): number {
  let low = 0
  let high = popularity.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (popularity[middle]! < u) low = middle + 1
    else high = middle
  }
  return low
}

/** Purposes. Where one is of an edge or a service, its number is added. */
export const luck = {
  work: 1,
  error: 2,
  sticky: 3,
  stall: 4,
  backoff: 8,
  entry: 6,
  version: 1 << 10,
  cache: 1 << 12,
  probability: 1 << 14,
  path: 1 << 16,
  gap: 1 << 28,
  keep: 1 << 29,
} as const
