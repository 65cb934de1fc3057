import type { CallPlan, MeshPlan } from '../../services/meta-controller/analysis/proof/plan.ts'
import { type Random, shuffled } from '../../services/platform/statistics/random.ts'
import {
  callsInto,
  contractMs,
  neededMs,
  worstAnswerMs,
  worstBurnSeconds,
  worstLoads,
  worstRequest,
} from './evaluator.ts'

/** A whole number from `low` to `high`. */
export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1))
}

export function oneOf<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T
}

/** A plan whose parts can be changed, so that a mutation is an assignment. */
export type Draft = Mutable<MeshPlan>
type Mutable<T> = T extends object ? { -readonly [Key in keyof T]: Mutable<T[Key]> } : T

/**
 * A mesh of 5 to 14 services that keeps all that is asked of it, with slack drawn at random, from none at all up to a half.
 * Time-outs are set from the leaves up, as a careful engineer would.
 */
export function validPlan(random: Random): Draft {
  const services = drawServices(random)
  const edges = drawCalls(random, services)
  const draft: Draft = { services, edges, entries: [{ service: 's0' }] }
  setTimeouts(random, draft)
  setLimits(random, draft)
  return {
    ...draft,
    ...drawRollout(random),
    ...drawAccess(random, draft),
    ...drawRest(random, draft),
  } as Draft
}

function drawServices(random: Random): Draft['services'] {
  return Array.from({ length: between(random, 5, 14) }, (_, index) => ({
    name: `s${index}`,
    workMs: between(random, 2, 40) / 2,
  }))
}

/** Each service but the first is called by an earlier one, some by two; callees have higher numbers, so there is no circle. */
function drawCalls(random: Random, services: Draft['services']): Draft['edges'] {
  const edges: Draft['edges'] = []
  for (let to = 1; to < services.length; to++) {
    const callers = new Set([between(random, Math.max(0, to - 4), to - 1)])
    if (random() < 0.25) callers.add(between(random, 0, to - 1))
    for (const from of callers) edges.push(drawCall(random, from, to))
  }
  return edges
}

function drawCall(random: Random, from: number, to: number): Draft['edges'][number] {
  const attempts = random() < 0.65 ? 1 : between(random, 2, 3)
  return {
    from: `s${from}`,
    to: `s${to}`,
    attempts,
    networkMs: between(random, 0, 6) / 4,
    ...(random() < 0.3 ? { stage: between(random, 0, 2) } : random() < 0.1 ? { calls: 2 } : {}),
    ...(attempts > 1 ? { backoffMs: between(random, 0, 20) } : {}),
  }
}

function slack(random: Random): number {
  return random() < 0.3 ? 1 : 1 + random() / 2
}

function setTimeouts(random: Random, plan: Draft): void {
  const fromLeaves = plan.edges.toSorted((a, b) => Number(b.to.slice(1)) - Number(a.to.slice(1)))
  for (const edge of fromLeaves) {
    edge.perTryTimeoutMs = Math.ceil(neededMs(plan, edge) * slack(random))
    if (random() < 0.6) edge.timeoutMs = Math.ceil(contractMs(edge) * slack(random))
  }
}

function setLimits(random: Random, plan: Draft): void {
  const entry = plan.entries[0]!
  entry.deadlineMs = Math.ceil(worstAnswerMs(plan, entry.service) * slack(random))
  const loads = worstLoads(plan, true)
  const bases = worstLoads(plan, false)
  const factors = plan.services.map(({ name }) => loads.get(name)! / bases.get(name)!)
  plan.maxAmplification = Math.ceil(Math.max(...factors) * slack(random))
  entry.peakPerS = between(random, 5, 40)
  for (const service of plan.services) {
    if (random() < 0.4) service.maxInFlight = Math.ceil(inFlight(plan, service.name) * slack(random)) + 1
  }
}

/** Little's law, each try held until its caller gives up. */
export function inFlight(plan: MeshPlan, service: string): number {
  const loads = worstLoads(plan, true)
  const peak = plan.entries[0]?.peakPerS ?? 0
  const held = callsInto(plan, service).map((call: CallPlan) => {
    const calls = loads.get(call.from)! * (call.calls ?? 1)
    const all = calls * (call.attempts ?? 1) * (call.perTryTimeoutMs ?? Infinity)
    return Math.min(all, calls * (call.timeoutMs ?? Infinity))
  })
  return (peak / 1000) * held.reduce((sum, each) => sum + each, 0)
}

function drawRollout(random: Random): Pick<Draft, 'rollout' | 'rollback'> {
  const weights = oneOf(random, [
    [5, 15, 40, 100],
    [10, 25, 50],
    [20, 50],
    [5, 10, 20, 50, 100],
    [25, 75],
  ])
  const detectionSeconds = between(random, 3, 20)
  const rollbackSeconds = between(random, 1, 10)
  const steps = weights.map((weightPercent) => {
    const minSeconds = detectionSeconds + between(random, 5, 60)
    return { weightPercent, minSeconds, maxSeconds: minSeconds + between(random, 0, 30) }
  })
  const rollout = {
    steps,
    detectionSeconds,
    rollbackSeconds,
    toleratedBadShare: oneOf(random, [0, 0.001, 0.002]),
    sloWindowSeconds: oneOf(random, [3600, 6 * 3600, 24 * 3600]),
    allowedBadShare: oneOf(random, [0.01, 0.001, 0.005]),
    maxBudgetShare: 0,
    maxLateBudgetShare: 0,
  }
  const budget = rollout.sloWindowSeconds * rollout.allowedBadShare
  rollout.maxBudgetShare = upTo6(worstBurnSeconds(rollout, 'at once') / budget, slack(random))
  rollout.maxLateBudgetShare = upTo6(worstBurnSeconds(rollout, 'late') / budget, slack(random))
  return { rollout, rollback: drawRollback(random, weights.length, detectionSeconds + rollbackSeconds) }
}

/** At most six decimals, rounded up. */
function upTo6(share: number, factor: number): number {
  return Math.ceil(share * factor * 1e6 + 1e-6) / 1e6
}

function drawRollback(random: Random, steps: number, window: number): Draft['rollback'] {
  const running = Array.from({ length: steps }, (_, index) => [
    `step ${index + 1}`,
    `judging ${index + 1}`,
  ]).flat()
  const transitions = running.map((from) => ({ from, to: 'aborting', seconds: between(random, 1, 4) }))
  transitions.push({ from: 'promoting', to: `judging ${steps}`, seconds: between(random, 1, 3) })
  transitions.push({ from: 'aborting', to: 'stable', seconds: window })
  const withinSeconds = Math.ceil((window + 8) * slack(random))
  return {
    stable: 'stable',
    states: [...running, 'promoting', 'aborting', 'stable'],
    transitions,
    withinSeconds,
  }
}

function drawAccess(random: Random, plan: Draft): Pick<Draft, 'access'> {
  const calls = plan.edges.map(({ from, to }) => ({ from, to }))
  const doors = [
    { from: 'ingress', to: 'gateway' },
    ...plan.entries.map(({ service }) => ({ from: 'gateway', to: service })),
  ]
  const allows = () => [...doors, ...calls].map((rule) => ({ ...rule }))
  const layers = [
    { name: 'authorization policies', allows: allows() },
    { name: 'network policies', allows: allows() },
  ]
  const last = plan.services.at(-1)!.name
  const middle = oneOf(random, plan.services).name
  const tolerates = random() < 0.5 ? 1 : 0
  return {
    access: {
      ingress: 'ingress',
      gateway: 'gateway',
      protected: [...new Set([last, middle])],
      layers,
      tolerates,
    },
  }
}

function drawRest(random: Random, plan: Draft): Pick<Draft, 'quota' | 'gates' | 'schedule'> {
  const workloads = plan.services.map(({ name }) => ({
    name,
    minReplicas: between(random, 1, 2),
    maxReplicas: between(random, 2, 10),
    ...(random() < 0.5 ? { surge: between(random, 0, 2) } : { surgePercent: oneOf(random, [10, 25, 50]) }),
    requests: { cpu: between(random, 1, 10) * 50, memory: between(random, 1, 8) * 64 },
  }))
  const most = (resource: string) =>
    Math.ceil(worstRequest({ workloads, limits: {} }, resource) * slack(random))
  const limits: Record<string, number> = { cpu: most('cpu'), memory: most('memory') }
  return { quota: { workloads, limits }, gates: [drawGate(random)], schedule: drawSchedule(random, plan) }
}

function drawGate(random: Random): NonNullable<Draft['gates']>[number] {
  const dimensions = ['blast', 'harm', 'burn', 'novelty', 'size']
  const score = dimensions.map((dimension) => {
    const middle = between(random, 0, 20)
    const points: [number, number][] = [
      [0, 0],
      [0.5, middle],
      [1, middle + between(random, 0, 30)],
    ]
    return { dimension, points }
  })
  const limits = shuffled(dimensions, random)
    .slice(0, between(random, 1, 3))
    .map((dimension) => ({ dimension, atMost: between(random, 2, 9) / 10 }))
  const small = {
    all: [
      { dimension: 'size', atMost: 0.1 },
      { dimension: 'harm', atMost: 0.3 },
    ],
  }
  const accepts = { all: [...limits, { any: [small, { score, atMost: between(random, 20, 60) }] }] }
  return { name: 'of low risk', dimensions, accepts }
}

function drawSchedule(random: Random, plan: Draft): NonNullable<Draft['schedule']> {
  let at = between(random, 0, 100)
  const changes = Array.from({ length: between(random, 2, 5) }, (_, index) => {
    const earliestStartS = at
    const latestStartS = at + between(random, 0, 200)
    const seconds = between(random, 100, 900)
    at = latestStartS + seconds + between(random, 0, 50)
    return {
      id: `change ${index + 1}`,
      service: oneOf(random, plan.services).name,
      earliestStartS,
      latestStartS,
      seconds,
    }
  })
  const fromS = at + between(random, 0, 300)
  return { changes, freezes: [{ name: 'the freeze', fromS, untilS: fromS + 3600 }] }
}
