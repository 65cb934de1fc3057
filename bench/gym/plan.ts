import { popularityOf } from './draws.ts'
import type { CallPolicy, Fault, MeshSpec, VersionSpec } from './mesh.ts'

/** An edge of the mesh with its two policies: how stable calls and how the canary calls. */
export interface Edge {
  readonly index: number
  readonly caller: number
  readonly callee: number
  readonly probability: number
  readonly networkMs: number
  readonly isOptional: boolean
  readonly popularity: Float64Array | undefined
  readonly policies: [Policy, Policy]
  /** When what is kept of each key ends, one for each version; absent where nothing is kept. */
  readonly caches: [Float64Array | undefined, Float64Array | undefined]
  /** Calls and retries so far, for the retry budget. */
  calls: number
  retries: number
}

export type Policy = Required<CallPolicy>

export interface Service {
  readonly index: number
  readonly name: string
  readonly medianMs: number
  readonly sigma: number
  readonly workers: number
  readonly maxQueue: number
  readonly holdsWorker: boolean
  readonly errorShare: number
  readonly stages: readonly (readonly Edge[])[]
  readonly faults: readonly Fault[]
  canary: VersionSpec
  canaryWeight: number
  stable: VersionSpec
  busy: number
  queued: number
  head: number
  tail: number
}

export interface Plan {
  readonly services: readonly Service[]
  readonly edges: readonly Edge[]
  readonly indexOf: ReadonlyMap<string, number>
}

/** The mesh as the simulator walks it. Errors: of a name that is no service. */
export function planOf(spec: MeshSpec): Plan {
  const indexOf = new Map(spec.services.map(({ name }, index) => [name, index]))
  const serviceIndex = (name: string) => {
    const index = indexOf.get(name)
    if (index === undefined) throw new Error(`the mesh has no service ${name}: add it to services`)
    return index
  }
  for (const { service } of [...spec.entries, ...(spec.faults ?? [])]) serviceIndex(service)
  const edges: Edge[] = []
  const services = spec.services.map((service, index): Service => {
    const stages = (service.calls ?? []).map((stage) =>
      stage.map((call) => {
        const policy = policyOf(call)
        const edge: Edge = {
          index: edges.length,
          caller: index,
          callee: serviceIndex(call.to),
          probability: call.probability ?? 1,
          networkMs: call.networkMs ?? 0,
          isOptional: call.isOptional ?? false,
          popularity: call.keys && popularityOf(call.keys.count, call.keys.skew),
          policies: [policy, policy],
          caches: [undefined, undefined],
          calls: 0,
          retries: 0,
        }
        edge.caches[0] = cacheOf(edge, policy)
        edges.push(edge)
        return edge
      }),
    )
    return {
      index,
      name: service.name,
      medianMs: service.work.medianMs,
      sigma: service.work.sigma ?? 0,
      workers: service.workers ?? Infinity,
      maxQueue: service.maxQueue ?? Infinity,
      holdsWorker: service.holdsWorker ?? false,
      errorShare: service.errorShare ?? 0,
      stages,
      faults: (spec.faults ?? []).filter((fault) => fault.service === service.name),
      canary: {},
      canaryWeight: 0,
      stable: {},
      busy: 0,
      queued: 0,
      head: -1,
      tail: -1,
    }
  })
  return { services, edges, indexOf }
}

function policyOf(policy: CallPolicy): Policy {
  return {
    perTryTimeoutMs: policy.perTryTimeoutMs ?? Infinity,
    timeoutMs: policy.timeoutMs ?? Infinity,
    attempts: policy.attempts ?? 1,
    backoffMs: policy.backoffMs ?? 0,
    jitter: policy.jitter ?? 0,
    retryBudget: policy.retryBudget ?? Infinity,
    cacheTtlMs: policy.cacheTtlMs ?? 0,
  }
}

/** An empty cache for the keys of the edge. None where nothing is to be kept, or where each key is new so that keeping it is in vain. */
function cacheOf(edge: Pick<Edge, 'popularity'>, policy: Policy): Float64Array | undefined {
  return policy.cacheTtlMs > 0 && edge.popularity ? new Float64Array(edge.popularity.length) : undefined
}

/** The faults that are on at the moment, as one. */
export function faultAt(service: Service, atMs: number): ActiveFault | undefined {
  let active: ActiveFault | undefined
  for (const fault of service.faults) {
    if (atMs < fault.fromMs || atMs >= fault.untilMs) continue
    const cycleMs = (fault.onMs ?? 0) + (fault.offMs ?? 0)
    if (cycleMs > 0 && (atMs - fault.fromMs) % cycleMs >= (fault.onMs ?? 0)) continue
    active ??= { slowFactor: 1, errorShare: 0, isSticky: false, stallShare: 0, stallMs: 0, workers: Infinity }
    active.slowFactor *= fault.slowFactor ?? 1
    active.errorShare = Math.max(active.errorShare, fault.errorShare ?? 0)
    active.isSticky ||= fault.isSticky ?? false
    active.stallShare = Math.max(active.stallShare, fault.stallShare ?? 0)
    active.stallMs = Math.max(active.stallMs, fault.stallMs ?? 0)
    active.workers = Math.min(active.workers, fault.workers ?? Infinity)
  }
  return active
}

interface ActiveFault {
  slowFactor: number
  errorShare: number
  isSticky: boolean
  stallShare: number
  stallMs: number
  workers: number
}

/** Workers that the service has at the moment. */
export function workersAt(service: Service, atMs: number): number {
  return service.faults.length === 0
    ? service.workers
    : Math.min(service.workers, faultAt(service, atMs)?.workers ?? Infinity)
}

/** The version that the canary runs, with caches that are still empty; nothing when it runs it already. */
export function setCanary(plan: Plan, service: Service, version: VersionSpec): void {
  if (service.canary === version) return
  service.canary = version
  for (const edge of service.stages.flat()) {
    const changed = version.calls?.[plan.services[edge.callee]!.name]
    edge.policies[1] = { ...edge.policies[0], ...changed }
    edge.caches[1] = cacheOf(edge, edge.policies[1])
  }
}

/** The canary becomes stable, with what its caches hold. */
export function promoteCanary(service: Service): void {
  service.stable = service.canary
  service.canaryWeight = 0
  for (const edge of service.stages.flat()) {
    edge.policies[0] = edge.policies[1]
    edge.caches[0] = edge.caches[1]
  }
}

/** Where clients come in: `upTo` is the share of them up to and with this entry. */
export interface Entry {
  readonly service: number
  readonly upTo: number
  readonly deadlineMs: number
}

export function entriesOf(spec: MeshSpec, { indexOf }: Plan): Entry[] {
  const total = spec.entries.reduce((sum, entry) => sum + (entry.share ?? 1), 0)
  let upTo = 0
  return spec.entries.map(({ service, share, deadlineMs }) => {
    upTo += (share ?? 1) / total
    return { service: indexOf.get(service)!, upTo, deadlineMs: deadlineMs ?? Infinity }
  })
}
