import { medianOf } from '../../../platform/statistics/order.ts'
import { type CallLoads, type Load, type Mass, massOf, type Period } from './load.ts'

/** What is asked: whose excess, of what. */
export interface Question {
  readonly target: string
  readonly mass: Mass
  /**
   * Masses are held against normal per request of the target, so that more traffic alone is no excess. Right where the
   * target's requests are alike; where they are not (a front end), a burst of light ones hides what is wrong with the others.
   */
  readonly isPerRequest?: boolean
}

/** An edge between services of a scene, by their places. */
export interface SceneCall {
  readonly caller: number
  readonly callee: number
  /** Absent where the mesh does not tell it. */
  readonly mass: Float64Array | undefined
}

/** What the target reaches in the call graph, in columns of masses; NaN is "not measured". */
export interface Scene {
  /** The target first, then breadth first. */
  readonly services: readonly string[]
  readonly isProxy: readonly boolean[]
  readonly calls: readonly SceneCall[]
  /** Places of services, each after its callers as far as the graph has no cycles. */
  readonly order: readonly number[]
  readonly masses: readonly Float64Array[]
  /** Mass per request of the service itself: its latency, or its share of failures. */
  readonly rates: readonly Float64Array[]
  /** Requests of each service in a typical slot. */
  readonly traffic: readonly number[]
  /** Requests of the target in each slot; NaN where it had none. */
  readonly requests: Float64Array
  /** What the masses of each slot are to be multiplied by to be absolute. */
  readonly scale: Float64Array
}

/** Services beyond this are not looked at; those nearest to the target are. */
const maxServices = 2000
/** Of each service, so many of the latest slots; fewer where the services are many. */
const maxSlots = 20_000
const maxCells = 2_000_000

/** Undefined when the target has no telemetry. */
export function sceneOf(period: Period, { target, mass, isPerRequest }: Question): Scene | undefined {
  const loads = new Map(period.services.map((one) => [one.service, one]))
  const own = loads.get(target)
  if (own === undefined || own.slots.length === 0) return undefined
  const calls = callsWithin(period.calls, loads)
  const services = reachedFrom(target, calls)
  const slots = Math.min(own.slots.length, maxSlots, Math.floor(maxCells / services.length))
  const placeOf = new Map(services.map((service, place) => [service, place]))
  const requests = columnOf(own.slots, slots, (load) =>
    massOf(load, mass) >= 0 ? load.requests : Number.NaN,
  )
  for (let slot = 0; slot < slots; slot++) if (!(requests[slot]! > 0)) requests[slot] = Number.NaN
  const scale = isPerRequest ? requests : requests.map((count) => count / count)
  const sceneCalls = (scaled: (column: readonly Load[]) => Float64Array): SceneCall[] =>
    calls.flatMap(({ caller, service, slots }) => {
      const [from, to] = [placeOf.get(caller), placeOf.get(service)]
      if (from === undefined || to === undefined) return []
      return [{ caller: from, callee: to, mass: slots && scaled(slots) }]
    })
  const scaled = (column: readonly Load[]) => {
    const values = columnOf(column, slots, (load) => massOf(load, mass))
    for (let slot = 0; slot < slots; slot++) values[slot]! /= scale[slot]!
    return values
  }
  const within = sceneCalls(scaled)
  return {
    services,
    isProxy: services.map((service) => loads.get(service)?.isProxy === true),
    calls: within,
    order: callersFirst(services.length, within),
    masses: services.map((service) => scaled(loads.get(service)!.slots)),
    rates: services.map((service) =>
      columnOf(loads.get(service)!.slots, slots, (load) => rateOf(load, mass)),
    ),
    traffic: services.map((service) => typicalRequests(loads.get(service)!.slots)),
    requests,
    scale,
  }
}

function rateOf(load: Load, mass: Mass): number {
  return load.requests > 0 ? massOf(load, mass) / load.requests : Number.NaN
}

/** Of the slots that had any; 0 when none had. */
function typicalRequests(slots: readonly Load[]): number {
  const counts = slots.map(({ requests }) => requests).filter((count) => count > 0 && Number.isFinite(count))
  return counts.length > 0 ? medianOf(counts) : 0
}

/** Kahn's algorithm; what a cycle holds back comes last, in breadth-first order. */
function callersFirst(services: number, calls: readonly SceneCall[]): number[] {
  const waitsFor = new Array<number>(services).fill(0)
  const callees = new Map<number, number[]>()
  for (const { caller, callee } of calls) {
    waitsFor[callee]!++
    callees.set(caller, [...(callees.get(caller) ?? []), callee])
  }
  const order = new Set([...waitsFor.keys()].filter((place) => waitsFor[place] === 0))
  for (const place of order)
    for (const callee of callees.get(place) ?? []) if (--waitsFor[callee]! === 0) order.add(callee)
  for (let place = 0; place < services; place++) order.add(place)
  return [...order]
}

/** The edges between services that have telemetry, each once; none from a service to itself. */
function callsWithin(calls: readonly CallLoads[], loads: ReadonlyMap<string, unknown>): CallLoads[] {
  const distinct = new Map<string, CallLoads>()
  for (const call of calls) {
    if (call.caller === call.service || !loads.has(call.caller) || !loads.has(call.service)) continue
    distinct.set(JSON.stringify([call.caller, call.service]), call)
  }
  return [...distinct.values()]
}

function reachedFrom(target: string, calls: readonly CallLoads[]): string[] {
  const callees = new Map<string, string[]>()
  for (const { caller, service } of calls) {
    const known = callees.get(caller)
    if (known === undefined) callees.set(caller, [service])
    else known.push(service)
  }
  const reached = new Set([target])
  for (const service of reached)
    for (const callee of callees.get(service) ?? []) if (reached.size < maxServices) reached.add(callee)
  return [...reached]
}

/** The last `length` slots; what is missing comes first. */
function columnOf(slots: readonly Load[], length: number, figureOf: (load: Load) => number): Float64Array {
  const column = new Float64Array(length).fill(Number.NaN)
  const offset = length - slots.length
  for (let index = Math.max(0, -offset); index < slots.length; index++)
    column[index + offset] = figureOf(slots[index]!)
  return column
}

/** Part of a scene: `count` slots from `from` on. */
export function sliceOf(scene: Scene, from: number, count: number): Scene {
  const part = (column: Float64Array) => column.subarray(from, from + count)
  return {
    ...scene,
    calls: scene.calls.map((call) => ({ ...call, mass: call.mass && part(call.mass) })),
    masses: scene.masses.map(part),
    rates: scene.rates.map(part),
    requests: part(scene.requests),
    scale: part(scene.scale),
  }
}
