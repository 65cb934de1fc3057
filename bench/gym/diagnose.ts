import { detectViolation } from '../../services/meta-controller/analysis/detect.ts'
import { judgeSlots } from '../../services/meta-controller/analysis/detection/slots.ts'
import type { Attribution } from '../../services/meta-controller/analysis/root-cause/attribution.ts'
import { explain, type Observed } from '../../services/meta-controller/analysis/root-cause/explain.ts'
import type { Mass } from '../../services/meta-controller/analysis/root-cause/load.ts'
import { quantileOf, sumHistograms } from '../../services/platform/signals/histogram.ts'
import { type Intervention, type InterventionKind, promise, type World } from './world.ts'

const surgeFactor = 1.4
const surgeProbability = 1e-4

export interface Trouble {
  readonly target: string
  readonly mass: Mass
}

/** The entry that breaks a promise most, and which one. */
export function findTrouble({ spec }: World, now: Observed): Trouble | undefined {
  const found = spec.entries.flatMap(({ service }) => {
    const { slots } = now.services.find((one) => one.service === service)!
    const objective = promise.objective
    const errors = detectViolation(slots, { slo: 'availability', objective })
    const latency = detectViolation(slots, { slo: 'latency', objective, thresholdMs: promise.thresholdMs })
    return [
      { target: service, mass: 'errors' as const, violation: errors },
      { target: service, mass: 'latency' as const, violation: latency },
    ]
  })
  const broken = found.filter(({ violation }) => violation.violated)
  return broken.toSorted((a, b) => b.violation.bad - a.violation.bad)[0]
}

/** What the changed service's requests mean for the clients: how slow is bad, and how many there are for each of a client's. */
export function meaningOf({ edge }: Intervention, { spec }: World, usual: Observed) {
  const slotsOf = (name: string) => usual.services.find(({ service }) => service === name)!.slots
  const requestsOf = (name: string) => slotsOf(name).reduce((sum, { requests }) => sum + requests, 0)
  const meanMs = (name: string) =>
    slotsOf(name).reduce((sum, slot) => sum + (slot.latencySumMs ?? 0), 0) / Math.max(1, requestsOf(name))
  const entries = spec.entries.map(({ service }) => service)
  const clients = entries.reduce((sum, name) => sum + requestsOf(name), 0)
  const elsewhereMs = Math.max(0, Math.max(...entries.map(meanMs)) - meanMs(edge.caller))
  return {
    badFromMs: promise.thresholdMs - elsewhereMs,
    share: requestsOf(edge.caller) / Math.max(1, clients),
  }
}

export function p99MsOf(name: string, { services }: Observed): number {
  const { slots } = services.find(({ service }) => service === name)!
  return quantileOf(sumHistograms(slots.map(({ latency }) => latency)), 0.99) ?? 0
}

const usualTolerance = 0.25
const mostTolerance = 4

/**
 * How much slower the canary may be. A change against slowness a quarter; one against errors may spend half of the time that the entry has
 * left of its promise. Once a trial has shown that it helps, `tries` lets it take at least as many times its own time as it has tries: what was
 * an error at once takes longer when it succeeds.
 */
export function latencyTolerance({ target, mass }: Trouble, p99Of: (service: string) => number) {
  const leftMs = (promise.thresholdMs - p99Of(target)) / 2
  return ({ edge }: Intervention, tries = 1) => {
    if (mass === 'latency') return usualTolerance
    return Math.min(mostTolerance, Math.max(usualTolerance, tries - 1, leftMs / p99Of(edge.caller)))
  }
}

/** In words, that clients come more often than usual: then it is not the mesh that has changed. */
export function findSurge({ spec }: World, now: Observed, usual: Observed): string | undefined {
  const sumSlots = ({ services }: Observed) => {
    const entries = services.filter(({ service }) => spec.entries.some((entry) => entry.service === service))
    return entries[0]!.slots.map((first, slot) => ({
      ...first,
      requests: entries.reduce((sum, { slots }) => sum + slots[slot]!.requests, 0),
    }))
  }
  const traffic = judgeSlots(sumSlots(usual), sumSlots(now)).find(({ metric }) => metric === 'traffic')!
  const isSurge = traffic.pValue < surgeProbability && traffic.value > surgeFactor * traffic.reference
  if (!isSurge) return undefined
  return `clients send ${(traffic.value / traffic.reference).toFixed(1)} times as many requests as usual (p = ${traffic.pValue.toExponential(1)})`
}

/** Interventions at the culprit or one call above it, the likeliest first: retries against errors, caches against what is slow throughout, time-outs against what stalls. */
export function shortlist(
  world: World,
  { culprit }: Attribution,
  mass: Mass,
  now: Observed,
  usual: Observed,
): Intervention[] {
  if (culprit === undefined) return []
  const kinds: readonly InterventionKind[] =
    mass === 'errors'
      ? ['add_retry']
      : isSlowThroughout(culprit, now, usual)
        ? ['enable_caching', 'add_timeout']
        : ['add_timeout', 'enable_caching']
  const traffic = ({ edge }: Intervention) =>
    now.edges
      .find(({ caller, service }) => caller === edge.caller && service === edge.callee)!
      .slots!.reduce((sum, { requests }) => sum + requests, 0)
  const callers = new Set(now.edges.filter(({ service }) => service === culprit).map(({ caller }) => caller))
  // At the culprit itself first, then one call above.
  const distance = ({ edge }: Intervention) => (edge.callee === culprit ? 0 : 1)
  return world.interventions
    .filter(({ edge, kind }) => (edge.callee === culprit || callers.has(edge.callee)) && kinds.includes(kind))
    .toSorted(
      (a, b) =>
        distance(a) - distance(b) || kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || traffic(b) - traffic(a),
    )
}

/** Whether the service's median has at least doubled; if not, it is some requests only. */
function isSlowThroughout(service: string, now: Observed, usual: Observed): boolean {
  const mean = ({ services }: Observed) => {
    const counts = services.find((one) => one.service === service)!.slots.flatMap(({ latency }) => [latency])
    const total = counts.reduce((sum, { counts }) => sum + counts.reduce((a, b) => a + b, 0), 0)
    let below = 0
    for (const [index, bound] of counts[0]!.upperBoundsMs.entries()) {
      below += counts.reduce((sum, histogram) => sum + histogram.counts[index]!, 0)
      if (below >= total / 2) return bound
    }
    return Infinity
  }
  return mean(now) >= 2 * mean(usual)
}

/**
 * Who is at fault. Failures have hardly a usual level, so where nothing stands out against it after the longer look either, that the
 * promise is broken is enough to share them out.
 */
export function blame(now: Observed, usual: Observed, trouble: Trouble, isLongLook: boolean): Attribution {
  const question = { ...trouble, isViolated: true }
  const attribution = explain(now, usual, question)
  const isHidden = attribution.culprit === undefined && isLongLook && trouble.mass === 'errors'
  return isHidden ? explain(now, undefined, question) : attribution
}
