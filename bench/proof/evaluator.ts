import type {
  CallPlan,
  MeshPlan,
  QuotaPlan,
  RolloutPlan,
} from '../../services/meta-controller/analysis/proof/plan.ts'

// Plain recursions over a plan in doubles: what is a bug is decided here and not by the encodings, with which this shares no code.

/** All tries and waits of a call, cut by its time-out; `tryMs` is what one try takes at most. */
function callMs(edge: CallPlan, tryMs: number): number {
  const attempts = edge.attempts ?? 1
  let total = Math.min(tryMs, edge.perTryTimeoutMs ?? Infinity) * attempts
  for (let wait = 1; wait < attempts; wait++) total += (edge.backoffMs ?? 0) * 2 ** (wait - 1)
  return Math.min(total, edge.timeoutMs ?? Infinity)
}

/** What a call takes when each of its tries uses up its time-out. */
export function contractMs(edge: CallPlan): number {
  return callMs(edge, Math.min(edge.perTryTimeoutMs ?? Infinity, edge.timeoutMs ?? Infinity))
}

function stagesMs(plan: MeshPlan, service: string, durationOf: (edge: CallPlan) => number): number {
  const longest = new Map<number | string, number>()
  for (const edge of plan.edges) {
    if (edge.from !== service) continue
    const stage = edge.stage ?? edge.to
    longest.set(stage, Math.max(longest.get(stage) ?? 0, durationOf(edge) * (edge.calls ?? 1)))
  }
  return [...longest.values()].reduce((sum, each) => sum + each, 0)
}

function workMs(plan: MeshPlan, service: string): number {
  return plan.services.find(({ name }) => name === service)?.workMs ?? Infinity
}

/** The longest that a service can take to answer when everything below it fails as late as it can. */
export function worstAnswerMs(plan: MeshPlan, service: string): number {
  const durationOf = (edge: CallPlan) => callMs(edge, (edge.networkMs ?? 0) + worstAnswerMs(plan, edge.to))
  return workMs(plan, service) + stagesMs(plan, service, durationOf)
}

/** What a try of an edge has to be given, the callee's own calls using up their time-outs. */
export function neededMs(plan: MeshPlan, edge: CallPlan): number {
  const durationOf = (each: CallPlan) =>
    each.perTryTimeoutMs === undefined && each.timeoutMs === undefined
      ? callMs(each, neededMs(plan, each))
      : contractMs(each)
  return (edge.networkMs ?? 0) + workMs(plan, edge.to) + stagesMs(plan, edge.to, durationOf)
}

/** Whether the caller gives up on a try before its callee is done. */
export function isInverted(plan: MeshPlan, edge: CallPlan): boolean {
  const needed = neededMs(plan, edge)
  if (needed > (edge.perTryTimeoutMs ?? Infinity)) return true
  return callMs({ ...edge, timeoutMs: Infinity }, needed) > (edge.timeoutMs ?? Infinity)
}

export function callsInto(plan: MeshPlan, service: string): CallPlan[] {
  return plan.edges.filter(({ to }) => to === service)
}

/** Requests at each service for one at the entry, with every retry or with none. */
export function worstLoads(plan: MeshPlan, retries: boolean): Map<string, number> {
  const loads = new Map<string, number>()
  const loadOf = (service: string): number => {
    const known = loads.get(service)
    if (known !== undefined) return known
    let load = service === plan.entries[0]?.service ? 1 : 0
    for (const call of callsInto(plan, service)) {
      const tries = Math.min(call.attempts ?? 1, 1 + (call.retryBudget ?? Infinity))
      load += loadOf(call.from) * (call.calls ?? 1) * (retries ? tries : 1)
    }
    loads.set(service, load)
    return load
  }
  for (const { name } of plan.services) loadOf(name)
  return loads
}

/** Seconds of all traffic that a failing canary makes bad at worst, begun at once or at the end of any step. */
export function worstBurnSeconds(rollout: RolloutPlan, onset: 'at once' | 'late'): number {
  const starts = onset === 'late' ? rollout.steps.map((_, index) => index) : []
  return Math.max(burnFrom(rollout, 0, 0), ...starts.map((index) => burnFrom(rollout, index, index + 1)))
}

/** The judge finds it as in step `found`; it begins with step `from`, or after the last one. */
function burnFrom(rollout: RolloutPlan, found: number, from: number): number {
  const { steps, toleratedBadShare: tolerated = 0 } = rollout
  let bad = 0
  for (const { weightPercent, minSeconds, maxSeconds = minSeconds } of steps.slice(0, from))
    bad += tolerated * (weightPercent / 100) * maxSeconds
  let left = (steps[found]?.detectionSeconds ?? rollout.detectionSeconds) + rollout.rollbackSeconds
  for (const { weightPercent, minSeconds } of steps.slice(from)) {
    const seconds = Math.min(left, minSeconds)
    bad += (weightPercent / 100) * seconds
    left -= seconds
  }
  return (bad + left) * (rollout.peakToMean ?? 1)
}

/** What all workloads request at worst: most replicas, and the surge of a rollout, its percentage rounded up as Kubernetes does. */
export function worstRequest(quota: QuotaPlan, resource: string): number {
  return quota.workloads.reduce((sum, { maxReplicas, surge = 0, surgePercent, requests }) => {
    const extra = surgePercent === undefined ? surge : Math.ceil((maxReplicas * surgePercent) / 100)
    return sum + (maxReplicas + extra) * (requests[resource] ?? 0)
  }, 0)
}
