import { luck, uniformOf } from './draws.ts'
import type { Load, MeshSpec } from './mesh.ts'

/** Gives the next arrival at each call, Infinity after the last. Arrivals follow from the load and the key alone. */
export function arrivalsOf(load: MeshSpec['load'], key: number): () => number {
  if ('atMs' in load) {
    let next = 0
    return () => load.atMs[next++] ?? Infinity
  }
  const mostPerMs = (load.ratePerS / 1000) * (1 + (load.daily?.amplitude ?? 0)) * highestSurge(load)
  if (!(mostPerMs > 0)) return () => Infinity
  let atMs = 0
  let candidate = 0
  return () => {
    // Lewis and Shedler's thinning (1979): candidates at the highest rate, each kept with the share that the rate then has of it.
    for (;;) {
      atMs -= Math.log(uniformOf(key, luck.gap + candidate)) / mostPerMs
      const isKept = uniformOf(key, luck.keep + candidate++) * mostPerMs < ratePerMs(load, atMs)
      if (isKept) return atMs
    }
  }
}

/** The rate of arrivals at a moment. */
export function ratePerMs(load: Load, atMs: number): number {
  const { daily } = load
  let rate = load.ratePerS / 1000
  if (daily)
    rate *= 1 + daily.amplitude * Math.sin((2 * Math.PI * atMs) / daily.periodMs + (daily.phase ?? 0))
  for (const surge of load.surges ?? []) {
    if (atMs >= surge.fromMs && atMs < surge.untilMs) rate *= surge.factor
  }
  return rate
}

function highestSurge(load: Load): number {
  return (load.surges ?? []).reduce((highest, { factor }) => highest * Math.max(1, factor), 1)
}
