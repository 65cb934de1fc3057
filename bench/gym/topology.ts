import type { Random } from '../../services/platform/statistics/random.ts'
import type { CallSpec, MeshSpec, ServiceSpec } from './mesh.ts'

/** A caller and a callee by name. */
export interface EdgeName {
  readonly caller: string
  readonly callee: string
}

/** The four layers of twenty services: from those that clients call to those that hold the data. */
const layers = [
  { name: 'front', count: 3, callees: [2, 2], medianMs: [3, 8] },
  { name: 'logic', count: 6, callees: [1, 2], medianMs: [5, 14] },
  { name: 'domain', count: 6, callees: [1, 1], medianMs: [8, 20] },
  { name: 'store', count: 5, callees: [0, 0], medianMs: [5, 18] },
] as const

/** Draws from a range. */
export function between(random: Random, [low, high]: readonly [number, number]): number {
  return low + (high - low) * random()
}

/** One of the items. */
export function oneOf<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!
}

/**
 * A mesh of twenty services in four layers, healthy: a request visits about nine of them and takes some 100 ms, hardly ever 500.
 * Every service is called by someone. No two requests ask for the same; a world that wants a cache to help says so.
 */
export function drawMesh(random: Random): MeshSpec {
  const names = layers.map(({ name, count }) =>
    Array.from({ length: count }, (_, index) => `${name}-${index}`),
  )
  const services = layers.flatMap((layer, depth): ServiceSpec[] =>
    names[depth]!.map((name, index) => ({
      name,
      work: { medianMs: between(random, layer.medianMs), sigma: between(random, [0.25, 0.5]) },
      calls: calleesOf(random, layer.callees, index, names[depth] ?? [], names[depth + 1] ?? []).map((to) => [
        { to },
      ]),
    })),
  )
  const phase = 2 * Math.PI * random()
  return {
    services,
    entries: names[0]!.map((service) => ({ service, share: between(random, [0.7, 1.3]), deadlineMs: 3000 })),
    load: {
      ratePerS: between(random, [70, 100]),
      daily: { amplitude: 0.15, periodMs: dayMs, phase },
    },
    slotMs: 1000,
  }
}

/** A day is shortened, so that load moves while a world is watched. */
const dayMs = 900_000

function calleesOf(
  random: Random,
  [least, most]: readonly [number, number],
  index: number,
  own: readonly string[],
  below: readonly string[],
): string[] {
  if (most === 0) return []
  // The first callee is dealt in turn, so that every service below has a caller.
  const dealt = below[index % below.length]!
  const spare = below.filter((_, position) => position >= own.length && position % own.length === index)
  const wanted = least + Math.floor(random() * (most - least + 1))
  const result = [dealt, ...spare]
  while (result.length < wanted) {
    const more = oneOf(random, below)
    if (!result.includes(more)) result.push(more)
  }
  return result
}

/** The mesh with a service changed. */
export function withService(spec: MeshSpec, name: string, change: Partial<ServiceSpec>): MeshSpec {
  return {
    ...spec,
    services: spec.services.map((service) => (service.name === name ? { ...service, ...change } : service)),
  }
}

/** The mesh with a call changed. */
export function withCall(spec: MeshSpec, edge: EdgeName, change: Partial<CallSpec>): MeshSpec {
  const service = spec.services.find(({ name }) => name === edge.caller)!
  const calls = service.calls?.map((stage) =>
    stage.map((call) => (call.to === edge.callee ? { ...call, ...change } : call)),
  )
  return withService(spec, edge.caller, { calls })
}

/** All edges, numbered as the simulator numbers them. */
export function edgesOf(spec: MeshSpec): EdgeName[] {
  return spec.services.flatMap(({ name, calls }) =>
    (calls ?? []).flat().map(({ to }) => ({ caller: name, callee: to })),
  )
}

/** What a request at the service takes by median, callees and all. */
export function medianOfTree(spec: MeshSpec, name: string): number {
  const service = spec.services.find((one) => one.name === name)!
  const calls = (service.calls ?? []).flat()
  return calls.reduce(
    (sum, call) => sum + (call.probability ?? 1) * medianOfTree(spec, call.to),
    service.work.medianMs,
  )
}

/** Share of the clients' requests that reach each service, at most 1. */
export function sharesOf(spec: MeshSpec): Map<string, number> {
  const total = spec.entries.reduce((sum, { share }) => sum + (share ?? 1), 0)
  const shares = new Map<string, number>()
  for (const { service, share } of spec.entries) {
    for (const reached of reachedFrom(spec, service)) {
      shares.set(reached, (shares.get(reached) ?? 0) + (share ?? 1) / total)
    }
  }
  return shares
}

/** The service and all that it calls, directly or not. */
export function reachedFrom(spec: MeshSpec, name: string): Set<string> {
  const reached = new Set([name])
  for (const each of reached) {
    const service = spec.services.find((one) => one.name === each)
    for (const { to } of (service?.calls ?? []).flat()) reached.add(to)
  }
  return reached
}
