import { ascending, quantileOfSorted } from '../../../platform/statistics/order.ts'

/** A metric of a service's resources, in slots of the same times as the others. Memory in megabytes, shares as percent. */
export interface ResourceSeries {
  readonly service: string
  readonly metric: string
  readonly values: readonly number[]
}

/** A service whose resources strayed, with the metric that strayed furthest. */
export interface ResourceSuspect {
  readonly service: string
  readonly metric: string
  /** How far above its normal median the metric rose at most, in normal interquartile ranges. */
  readonly score: number
}

/** A metric that keeps its first value in nine tenths of the slots, before or after, says nothing. */
const leastChanging = 0.1
/** Of each series, the slots nearest to the onset on either side. */
const maxSlots = 100_000

/**
 * Who suffers a fault of resources, where no call graph is known: BARO's robust scorer (Pham, Ha and Zhang, FSE 2024), the
 * largest (x − median) / IQR after the onset, with median and IQR of before; an IQR of 0 counts as 1. `onset` is the first slot
 * of the fault. Ranked by service, each with its worst metric. Values that are not finite are left out; a series without
 * values on both sides of the onset, or that hardly changes, is not ranked.
 *
 * Example: CPU of A is 10, 12, 11, 13 and then 12, 90, 80; of B 20, 22, 21, 23 and then 22, 24, 23: A has 52.3, B 1.7.
 */
export function rankResources(series: readonly ResourceSeries[], onset: number): ResourceSuspect[] {
  const worst = new Map<string, ResourceSuspect>()
  for (const { service, metric, values } of series) {
    const score = scoreOf(values, onset)
    if (score === undefined || score <= (worst.get(service)?.score ?? Number.NEGATIVE_INFINITY)) continue
    worst.set(service, { service, metric, score })
  }
  return [...worst.values()].sort((one, other) => other.score - one.score)
}

function scoreOf(values: readonly number[], onset: number): number | undefined {
  const at = Math.min(values.length, Math.max(0, Math.floor(onset) || 0))
  const before = values.slice(Math.max(0, at - maxSlots), at).filter(Number.isFinite)
  const after = values.slice(at, at + maxSlots).filter(Number.isFinite)
  if (!changes(before) || !changes(after)) return undefined
  const sorted = ascending(before)
  const range = quantileOfSorted(sorted, 0.75) - quantileOfSorted(sorted, 0.25)
  const highest = after.reduce((one, other) => Math.max(one, other))
  return (highest - quantileOfSorted(sorted, 0.5)) / (range > 0 ? range : 1)
}

function changes(values: readonly number[]): boolean {
  const changed = values.reduce((count, value) => count + (value === values[0] ? 0 : 1), 0)
  return changed > leastChanging * values.length
}
