import { quantileOfSorted } from '../../../platform/statistics/order.ts'
import type { Question, Scene } from './scene.ts'

/** Where a mass normally lies, and how far it normally strays in a slot. */
export interface Level {
  readonly median: number
  readonly deviation: number
}

/** The levels of a scene, by service and by edge. */
export interface Levels {
  readonly services: ReadonlyMap<string, Level>
  /** Of the latency, or the share of failures, of those services that mostly had requests. */
  readonly rates: ReadonlyMap<string, Level>
  readonly calls: ReadonlyMap<string, Level>
}

/** A service whose whole variation is less than this share of the target's cannot matter to the target. */
const leastShareOfTarget = 0.1
/** Less than this share of the median is not a deviation, however steady the normal period was. */
const leastShareOfMedian = 0.03
const leastDeviation = 1e-12
/** A rate has a level where at least this share of the slots had requests. */
const leastMeasured = 0.5

/** The robust levels of those that had requests in a normal period: medians, and the wider of two quantile ranges. */
export function levelsOf(scene: Scene, { mass }: Question): Levels {
  // A count of failures varies at least as a Poisson count does, of at least one failure in a slot.
  const floorFor = (requests: number) => (median: number) =>
    mass === 'errors' ? Math.sqrt(Math.max(1, median * requests)) / requests : 0
  const floorOf = floorFor(quantileOfSorted(measured(scene.scale), 0.5))
  const own = levelOf(scene.masses[0]!, floorOf, leastDeviation)
  const least = own.deviation * leastShareOfTarget
  const services = new Map<string, Level>()
  const rates = new Map<string, Level>()
  for (const [place, service] of scene.services.entries()) {
    const requests = scene.traffic[place]!
    if (requests === 0) continue
    services.set(service, place === 0 ? own : levelOf(scene.masses[place]!, floorOf, least))
    const rate = scene.rates[place]!
    if (measured(rate).length >= leastMeasured * rate.length)
      rates.set(service, levelOf(rate, floorFor(requests), leastDeviation))
  }
  const calls = new Map<string, Level>()
  for (const call of scene.calls)
    if (call.mass !== undefined)
      calls.set(
        callName(scene.services[call.caller]!, scene.services[call.callee]!),
        levelOf(call.mass, floorOf, least),
      )
  return { services, rates, calls }
}

export function callName(caller: string, service: string): string {
  return JSON.stringify([caller, service])
}

function levelOf(column: Float64Array, floorOf: (median: number) => number, least: number): Level {
  const sorted = measured(column)
  if (sorted.length === 0) return { median: 0, deviation: Math.max(least, floorOf(0)) }
  const at = (q: number) => quantileOfSorted(sorted, q)
  const median = at(0.5)
  const spread = Math.max((at(0.75) - at(0.25)) / 1.349, (at(0.975) - at(0.025)) / 3.92)
  return { median, deviation: Math.max(spread, leastShareOfMedian * median, floorOf(median), least) }
}

function measured(column: Float64Array): Float64Array {
  return column.filter((value) => !Number.isNaN(value)).sort()
}
