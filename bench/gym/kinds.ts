import type { Random } from '../../services/platform/statistics/random.ts'
import { type ChangeLog, confoundedLog, honestLog } from './log.ts'
import type { CallSpec, Fault, Load, MeshSpec, VersionSpec } from './mesh.ts'
import { between, type EdgeName, edgesOf, medianOfTree, withCall, withService } from './topology.ts'

/** Where a world plays: the edge of the trouble, one above it, and one that has nothing to do with it. */
export interface Focus {
  readonly edge: EdgeName
  readonly above: EdgeName
  readonly elsewhere: EdgeName
}

interface Draw {
  readonly random: Random
  readonly mesh: MeshSpec
  readonly focus: Focus
  readonly onsetMs: number
  readonly actMs: number
}

interface Drawn {
  readonly spec: MeshSpec
  readonly rootCause?: string
  /** What is wrong with every change as it is shipped. */
  readonly defect?: VersionSpec
  /** As shipped, the changed service works so long. */
  readonly defectMs?: number
  /** What is told of an earlier cache at the focus. */
  readonly log?: ChangeLog
  /** Where interventions are at hand, when not at the three edges of the focus. */
  readonly edges?: readonly EdgeName[]
}

interface Kind {
  readonly name: string
  /** How many services call the one in trouble, at least. */
  readonly callers: number
  readonly draw: (draw: Draw) => Drawn
}

const forEver = 1e12

/** A fault of the callee of the focus from the onset on. */
function fault({ focus, onsetMs }: Draw, change: Partial<Fault>): Fault {
  return { service: focus.edge.callee, fromMs: onsetMs, untilMs: forEver, ...change }
}

function withFaults(spec: MeshSpec, ...faults: readonly Fault[]): MeshSpec {
  return { ...spec, faults: [...(spec.faults ?? []), ...faults] }
}

/** So much slower that the callee alone takes most of what is promised for the whole. */
function slowFactor({ random, mesh, focus }: Draw): number {
  const own = mesh.services.find(({ name }) => name === focus.edge.callee)!.work.medianMs
  return between(random, [350, 700]) / own
}

const popular = { count: 400, skew: 1.1 }

/** The load as a rate; worlds have no other. */
function loadOf(mesh: MeshSpec): Load {
  if ('atMs' in mesh.load) throw new Error('a world has a rate of arrivals')
  return mesh.load
}

/** Nothing is wrong; load moves with the day. */
function healthy({ mesh }: Draw): Drawn {
  return { spec: mesh }
}

/** A service gets slow, and what it is asked for is asked for again and again. */
function hot(draw: Draw): Drawn {
  const spec = withCall(draw.mesh, draw.focus.edge, { keys: popular })
  return {
    spec: withFaults(spec, fault(draw, { slowFactor: slowFactor(draw) })),
    rootCause: draw.focus.edge.callee,
  }
}

/** A service gets slow, and each question is new: a cache would look right and hold nothing. */
function hotUnique(draw: Draw): Drawn {
  return {
    spec: withFaults(draw.mesh, fault(draw, { slowFactor: slowFactor(draw) })),
    rootCause: draw.focus.edge.callee,
  }
}

/** Some answers of a callee that its caller could do without take seconds. */
function stalling(draw: Draw): Drawn {
  const { random, focus } = draw
  const spec = withCall(draw.mesh, focus.edge, { isOptional: true })
  const stall = { stallShare: between(random, [0.06, 0.25]), stallMs: between(random, [900, 2500]) }
  return { spec: withFaults(spec, fault(draw, stall)), rootCause: focus.edge.callee }
}

/** Some answers of a callee that nobody can do without take seconds: a time-out only makes errors of them. */
function stallingNeeded(draw: Draw): Drawn {
  const { random, focus } = draw
  const stall = { stallShare: between(random, [0.05, 0.2]), stallMs: between(random, [900, 2500]) }
  return { spec: withFaults(draw.mesh, fault(draw, stall)), rootCause: focus.edge.callee }
}

/** Errors that a second try does not meet again. */
function transient(draw: Draw): Drawn {
  const errorShare = between(draw.random, [0.05, 0.25])
  return { spec: withFaults(draw.mesh, fault(draw, { errorShare })), rootCause: draw.focus.edge.callee }
}

/** Errors that come again at each try of the same request. */
function sticky(draw: Draw): Drawn {
  const errorShare = between(draw.random, [0.05, 0.2])
  const spec = withFaults(draw.mesh, fault(draw, { errorShare, isSticky: true }))
  return { spec, rootCause: draw.focus.edge.callee }
}

/** Workers of a service that has a bound. */
const fewWorkers = 4

/** By how much slower the callee of the focus has to be for its few workers to be used to that share. */
function factorFor({ mesh, focus }: Draw, utilisation: number): number {
  const service = mesh.services.find(({ name }) => name === focus.edge.callee)!
  const meanMs = service.work.medianMs * Math.exp((service.work.sigma ?? 0) ** 2 / 2)
  const busy = (visitsPerS(mesh, service.name) * meanMs) / 1000
  return (utilisation * fewWorkers) / busy
}

/** The mesh with every caller of the service calling it by that policy. */
function withCallsTo(mesh: MeshSpec, callee: string, change: Partial<CallSpec>): MeshSpec {
  const callers = mesh.services.filter(({ calls }) => (calls ?? []).flat().some(({ to }) => to === callee))
  return callers.reduce((spec, { name }) => withCall(spec, { caller: name, callee }, change), mesh)
}

/** The callee gets so slow that its workers do not suffice; its callers give up while it works on. Retries add work that nobody waits for. */
function overload(draw: Draw): Drawn {
  const { random, mesh, focus } = draw
  const { callee } = focus.edge
  const perTryTimeoutMs = Math.max(200, 8 * medianOfTree(mesh, callee))
  const bounded = withService(mesh, callee, { maxQueue: 100, workers: fewWorkers })
  const spec = withCallsTo(bounded, callee, { perTryTimeoutMs })
  const slow = { slowFactor: factorFor(draw, between(random, [1.2, 1.5])) }
  return { spec: withFaults(spec, fault(draw, slow)), rootCause: callee }
}

/** Requests that reach a service in a second by the mean load. */
export function visitsPerS(mesh: MeshSpec, name: string): number {
  const total = mesh.entries.reduce((sum, { share }) => sum + (share ?? 1), 0)
  const entry = mesh.entries.find(({ service }) => service === name)
  const fromOutside = entry ? (loadOf(mesh).ratePerS * (entry.share ?? 1)) / total : 0
  return mesh.services.reduce((sum, service) => {
    const calls = (service.calls ?? []).flat().filter(({ to }) => to === name)
    const perVisit = calls.reduce((all, { probability }) => all + (probability ?? 1), 0)
    return perVisit === 0 ? sum : sum + perVisit * visitsPerS(mesh, service.name)
  }, fromOutside)
}

/** Clients come three times as often for a while, and a service that is big enough for every other day is not. */
function surge(draw: Draw): Drawn {
  const { random, mesh, focus, onsetMs, actMs } = draw
  const { callee } = focus.edge
  const own = mesh.services.find(({ name }) => name === callee)!.work
  const work = { ...own, medianMs: own.medianMs * factorFor(draw, between(random, [0.45, 0.55])) }
  const spec = withService(mesh, callee, { work, workers: fewWorkers, maxQueue: 100 })
  const untilMs = actMs + between(random, [2000, 8000])
  const surges = [{ fromMs: onsetMs, untilMs, factor: between(random, [2.5, 3.2]) }]
  return { spec: { ...spec, load: { ...loadOf(mesh), surges } } }
}

/** As `hot`, where several call the service and only what one of them asks for is popular; that one is to be found. */
function shared(draw: Draw): Drawn {
  const { mesh, focus } = draw
  const callers = edgesOf(mesh).filter(({ callee }) => callee === focus.edge.callee)
  return { ...hot(draw), edges: [...callers, focus.above].slice(0, 3) }
}

/** As `transient`, but the change as shipped breaks more than it mends. */
function defectiveErrors(draw: Draw): Drawn {
  return { ...transient(draw), defect: { errorShare: between(draw.random, [0.3, 0.6]) } }
}

/** As `transient`, but the change as shipped makes its service slower than what is promised. */
function defectiveSlow(draw: Draw): Drawn {
  const workMs = between(draw.random, [600, 1200])
  return { ...transient(draw), defectMs: workMs }
}

/**
 * As `transient`, where those who call the caller retry already, and the callee is one slow spell away from an overload that many retries keep up
 * (a metastable failure; Bronson et al. 2021). The spell comes while the change is in place.
 */
function nested(draw: Draw): Drawn {
  const { random, mesh, focus, actMs } = draw
  const { caller, callee } = focus.edge
  const own = mesh.services.find(({ name }) => name === callee)!.work
  const work = { ...own, medianMs: own.medianMs * factorFor(draw, between(random, [0.14, 0.18])) }
  let spec = withService(mesh, callee, { work, workers: fewWorkers, maxQueue: 200 })
  spec = withCallsTo(spec, caller, { attempts: 3, backoffMs: 20 })
  spec = withCallsTo(spec, callee, { perTryTimeoutMs: 6 * medianOfTree(spec, callee) })
  const errors = fault(draw, { errorShare: between(random, [0.42, 0.52]) })
  const spell = fault(draw, { slowFactor: 8, fromMs: actMs + 35_000, untilMs: actMs + 43_000 })
  return { spec: withFaults(spec, errors, spell), rootCause: callee }
}

/**
 * A callee of the callee stalls, and the callee mends it by trying again after its own time-out. A time-out above that is shorter than those
 * tries take would cut them off: it looks right, and its time-outs are inverted.
 */
function inverted(draw: Draw): Drawn {
  const { random, mesh, focus } = draw
  const perTryTimeoutMs = Math.round(4 * medianOfTree(mesh, focus.edge.callee)) + 60
  const spec = withCall(mesh, focus.edge, { attempts: 3, perTryTimeoutMs, backoffMs: 10 })
  const stall = { stallShare: between(random, [0.25, 0.4]), stallMs: between(random, [900, 2500]) }
  return {
    spec: withFaults(spec, fault(draw, stall)),
    rootCause: focus.edge.callee,
    edges: [focus.above, focus.elsewhere],
  }
}

/** As `hotUnique`, where an earlier change log says that a cache helped: it was switched on when something else kept answers short. */
function confounded(draw: Draw): Drawn {
  return { ...hotUnique(draw), log: confoundedLog(draw.random) }
}

/** As `hot`, where a cache was tried before by lot: what the log says is true. */
function logged(draw: Draw): Drawn {
  return { ...hot(draw), log: honestLog(draw.random) }
}

/** The kinds of worlds, each with what it puts to the test. */
export const kinds = [
  { name: 'healthy', callers: 1, draw: healthy },
  { name: 'hot, popular keys', callers: 1, draw: hot },
  { name: 'hot, unique keys', callers: 1, draw: hotUnique },
  { name: 'stalls, optional', callers: 1, draw: stalling },
  { name: 'stalls, needed', callers: 1, draw: stallingNeeded },
  { name: 'transient errors', callers: 1, draw: transient },
  { name: 'lasting errors', callers: 1, draw: sticky },
  { name: 'overload', callers: 1, draw: overload },
  { name: 'surge', callers: 1, draw: surge },
  { name: 'shared dependency', callers: 2, draw: shared },
  { name: 'defect: errors', callers: 1, draw: defectiveErrors },
  { name: 'defect: slow', callers: 1, draw: defectiveSlow },
  { name: 'inverted time-outs', callers: 1, draw: inverted },
  { name: 'log, confounded', callers: 1, draw: confounded },
  { name: 'log, by lot', callers: 1, draw: logged },
  { name: 'nested retries', callers: 1, draw: nested },
] as const satisfies readonly Kind[]

export type KindName = (typeof kinds)[number]['name']
