import {
  exponentialVariate,
  normalVariate,
  poissonVariate,
  type Random,
} from '../../../platform/statistics/random.ts'
import type { Load, Period } from './load.ts'

/** A service of a made-up mesh: what it takes by itself, and whom it calls once for each request. */
export interface MadeService {
  readonly ownMs: number
  readonly failureShare?: number
  readonly calls?: readonly string[]
}

export type MadeMesh = Readonly<Record<string, MadeService>>

interface Options {
  readonly random: Random
  readonly slots: number
  /** Requests a slot, to those services that clients call. */
  readonly entries: Readonly<Record<string, number>>
  /** Leave the edges without slots. */
  readonly isGraphOnly?: boolean
}

/**
 * Slots of a mesh in which time and failures are conserved exactly: a request takes its service's own time and that of its calls,
 * and fails when the service or a call does.
 */
export function madePeriod(mesh: MadeMesh, { random, slots, entries, isGraphOnly }: Options): Period {
  const services = new Map<string, Load[]>(Object.keys(mesh).map((name) => [name, []]))
  const edges = new Map<string, { caller: string; service: string; slots: Load[] }>()
  for (const [caller, { calls = [] }] of Object.entries(mesh))
    for (const service of calls) edges.set(`${caller}>${service}`, { caller, service, slots: [] })
  for (let slot = 0; slot < slots; slot++) {
    const totals = new Map<string, Load>()
    const add = (name: string, load: Load) => totals.set(name, sumOf(totals.get(name), load))
    const serve = (name: string, requests: number): Load => {
      const { ownMs, failureShare = 0, calls = [] } = mesh[name]!
      const jitter = 1 + 0.05 * normalVariate(random)
      const own: Load = {
        requests,
        failures: Math.min(requests, poissonVariate(random, requests * failureShare)),
        requestSeconds: (requests * Math.max(0, ownMs * jitter) + exponentialVariate(random, ownMs)) / 1000,
      }
      const load = calls.reduce((sum, callee) => {
        const called = serve(callee, requests)
        add(`${name}>${callee}`, called)
        return {
          requests,
          failures: Math.min(requests, sum.failures + called.failures),
          requestSeconds: sum.requestSeconds + called.requestSeconds,
        }
      }, own)
      add(name, load)
      return load
    }
    for (const [name, rate] of Object.entries(entries)) serve(name, poissonVariate(random, rate))
    for (const [name, loads] of services) loads.push(totals.get(name) ?? none)
    for (const [name, edge] of edges) edge.slots.push(totals.get(name) ?? none)
  }
  return {
    services: [...services].map(([service, loads]) => ({ service, slots: loads })),
    calls: [...edges.values()].map(({ caller, service, slots: loads }) =>
      isGraphOnly ? { caller, service } : { caller, service, slots: loads },
    ),
  }
}

const none: Load = { requests: 0, failures: 0, requestSeconds: 0 }

function sumOf(one: Load = none, other: Load): Load {
  return {
    requests: one.requests + other.requests,
    failures: one.failures + other.failures,
    requestSeconds: one.requestSeconds + other.requestSeconds,
  }
}

/** The same load in every slot. */
export function steady(requests: number, latencyMs: number, slots: number, failures = 0): Load[] {
  return Array.from({ length: slots }, () => ({
    requests,
    failures,
    requestSeconds: (requests * latencyMs) / 1000,
  }))
}
