import type { Verdict } from '../../services/meta-controller/analysis/proof/obligation.ts'
import type { CallPlan, MeshPlan, RolloutPlan } from '../../services/meta-controller/analysis/proof/plan.ts'
import type { CallSpec, MeshSpec, ServiceSpec } from '../gym/mesh.ts'
import { Simulation } from '../gym/simulator.ts'

/** What the simulation showed of a counterexample. */
export interface Replay {
  readonly shows: boolean
  readonly words: string
}

type ValuesOf = Readonly<Record<string, number>>

/** A service that always fails; a service whose last call goes there fails as late as it can. */
const failure = 'always fails'
/** A service that does not answer within any time-out. */
const stall = 'never answers'
const neverMs = 1e9
const endMs = 1e12

const failureService: ServiceSpec = { name: failure, work: { medianMs: 0 }, errorShare: 1 }
const stallService: ServiceSpec = { name: stall, work: { medianMs: neverMs } }

interface Scene {
  readonly workMs: (service: string) => number
  /** What becomes of a call; the call as planned without it. */
  readonly call?: (edge: CallPlan) => Partial<CallSpec>
}

/** The mesh of a plan in which each service makes all its calls, all of which fail as late as they can, and then fails itself. */
function failingMesh(plan: MeshPlan, entry: string, scene: Scene): MeshSpec {
  const services = plan.services.map(({ name }): ServiceSpec => {
    const stages = Map.groupBy(
      plan.edges.filter(({ from }) => from === name),
      (edge) => edge.stage ?? edge.to,
    )
    const calls = [...stages.values()].flatMap((stage) => {
      const times = stage.length === 1 ? (stage[0]?.calls ?? 1) : 1
      return Array.from({ length: times }, () => stage.map((edge) => specOf(edge, scene)))
    })
    return { name, work: { medianMs: scene.workMs(name) }, calls: [...calls, [{ to: failure }]] }
  })
  return {
    services: [...services, failureService, stallService],
    entries: [{ service: entry }],
    load: { atMs: [0] },
    slotMs: endMs,
  }
}

function specOf(edge: CallPlan, scene: Scene): CallSpec {
  const { to, attempts, perTryTimeoutMs, timeoutMs, backoffMs, networkMs, retryBudget } = edge
  const policy = { to, attempts, perTryTimeoutMs, timeoutMs, backoffMs, networkMs, retryBudget }
  return { ...policy, isOptional: true, ...scene.call?.(edge) }
}

function ran(spec: MeshSpec): Simulation {
  const simulation = new Simulation(spec, 1)
  simulation.runUntil(endMs)
  return simulation
}

/** The client's answer comes after its deadline. */
export function replayDeadline(plan: MeshPlan, { counterexample }: Verdict): Replay {
  const values = counterexample?.values ?? {}
  const { service, deadlineMs = Infinity } = plan.entries[0]!
  const simulation = ran(failingMesh(plan, service, { workMs: (name) => values[`work of ${name}`] ?? 0 }))
  const took = simulation.requests.durationMs[0] ?? 0
  return { shows: took > deadlineMs, words: `answered after ${took} ms, deadline ${deadlineMs} ms` }
}

/**
 * The callee can need as long as the counterexample says, its own calls using up their time-outs; and a caller with the edge's policy
 * gives up on a callee that needs just so long for its last try.
 */
export function replayInversion(plan: MeshPlan, { name, counterexample }: Verdict): Replay {
  const values = counterexample?.values ?? {}
  const edge = plan.edges.find(({ from, to }) => name === `time-outs of ${from} → ${to}`)
  if (edge === undefined) return { shows: false, words: `no edge is meant by ${name}` }
  const neededMs = values['last try'] ?? 0
  const canNeedMs = (edge.networkMs ?? 0) + longestAnswerMs(plan, edge.to, values)
  const simulation = ran(lateAnswer(edge, neededMs, values['start of last try'] ?? 0))
  const gaveUp = simulation.abandoned[0] ?? 0
  const shows = gaveUp > 0 && canNeedMs >= neededMs - roundingMs
  return {
    shows,
    words: `gave up ${gaveUp} times on a callee that needs ${neededMs} ms and can need ${canNeedMs} ms`,
  }
}

/** Doubles add up less exactly than the solver's fractions. */
const roundingMs = 1e-4

function longestAnswerMs(plan: MeshPlan, service: string, values: ValuesOf): number {
  const stalls = (call: CallPlan) => call.perTryTimeoutMs !== undefined || call.timeoutMs !== undefined
  const simulation = ran(
    failingMesh(plan, service, {
      workMs: (name) => values[`work of ${name}`] ?? 0,
      call: (call) => (stalls(call) ? { to: stall } : {}),
    }),
  )
  return simulation.requests.durationMs[0] ?? 0
}

/** One call whose tries all fail: the last begins when the counterexample says and needs that long, the ones before share the time until then with the waits. */
function lateAnswer(edge: CallPlan, neededMs: number, startMs: number): MeshSpec {
  const earlier = (edge.attempts ?? 1) - 1
  const isTooLong = neededMs > (edge.perTryTimeoutMs ?? Infinity)
  const tryMs = isTooLong ? neededMs : Math.min(neededMs, startMs / Math.max(1, earlier))
  const waitsMs = isTooLong ? 0 : startMs - earlier * tryMs
  const call = {
    ...specOf(edge, { workMs: () => 0 }),
    networkMs: 0,
    backoffMs: waitsMs / Math.max(1, 2 ** earlier - 1),
  }
  const slower = {
    service: edge.to,
    fromMs: startMs - roundingMs,
    untilMs: endMs,
    stallShare: 1,
    stallMs: neededMs - tryMs,
  }
  return {
    services: [
      { name: 'caller', work: { medianMs: 0 }, calls: [[call]] },
      { name: edge.to, work: { medianMs: tryMs }, errorShare: 1 },
    ],
    entries: [{ service: 'caller' }],
    load: { atMs: [0] },
    faults: [slower],
    slotMs: endMs,
  }
}

const budgetedArrivals = 2000
const arrivalEveryMs = 1000

/** More requests reach a service than the bound allows. */
export function replayAmplification(plan: MeshPlan, _verdict: Verdict): Replay {
  const entry = plan.entries[0]!.service
  const most = plan.maxAmplification ?? Infinity
  // A retry budget is a share in the long run: the gym lets ten retries pass before it counts.
  const count = plan.edges.some(({ retryBudget }) => retryBudget !== undefined) ? budgetedArrivals : 1
  const atMs = Array.from({ length: count }, (_, index) => index * arrivalEveryMs)
  const patient = { perTryTimeoutMs: undefined, timeoutMs: undefined, backoffMs: 0, networkMs: 0 }
  const loadsOf = (policy: Partial<CallSpec>) => {
    const simulation = ran({
      ...failingMesh(plan, entry, { workMs: () => 0, call: () => policy }),
      load: { atMs },
    })
    return plan.services.map(({ name }) => requestsOf(simulation, name))
  }
  const [loads, bases] = [loadsOf(patient), loadsOf({ ...patient, attempts: 1 })]
  const factor = Math.max(...loads.map((load, index) => load / Math.max(1, bases[index] ?? 0)))
  return { shows: factor > most, words: `${factor} times the requests without retries, ${most} are allowed` }
}

function requestsOf(simulation: Simulation, service: string): number {
  return simulation.signals(service, 0, endMs)[0]?.requests ?? 0
}

/** At the peak, with every try held until its caller gives up, more requests are in flight than the service takes. */
export function replayConcurrency(plan: MeshPlan, { name }: Verdict): Replay {
  const { service: entry, peakPerS = 0 } = plan.entries[0]!
  const held = plan.services.find((service) => name === `concurrency of ${service.name} from ${entry}`)
  const limit = held?.maxInFlight ?? Infinity
  // Each edge into the service gets its own double of it, which holds a try for just as long as that caller waits.
  const doubles = plan.edges
    .filter(({ to }) => to === held?.name)
    .map((edge) => ({
      edge,
      name: `${edge.to} for ${edge.from}`,
      holdMs: Math.min(edge.perTryTimeoutMs ?? Infinity, edge.timeoutMs ?? Infinity),
    }))
  const spec = failingMesh(plan, entry, {
    workMs: () => 0,
    call: (edge) => {
      const double = doubles.find((each) => each.edge === edge)
      return double === undefined
        ? { backoffMs: 0, networkMs: 0 }
        : { to: double.name, backoffMs: 0, networkMs: 0 }
    },
  })
  const services = doubles.map((double) => ({
    name: double.name,
    work: { medianMs: double.holdMs },
    errorShare: 1,
  }))
  const mesh = { ...spec, services: [...spec.services, ...services] }
  const onceMs = ran(mesh).requests.durationMs[0] ?? 0
  const atMs = arrivals(peakPerS, 3 * onceMs)
  const simulation = ran({ ...mesh, slotMs: onceMs, load: { atMs } })
  const meanOf = (double: (typeof doubles)[number]) =>
    (simulation.signals(double.name, onceMs, 3 * onceMs).reduce((sum, { requests }) => sum + requests, 0) *
      double.holdMs) /
    (2 * onceMs)
  const inFlight = doubles.reduce((sum, double) => sum + meanOf(double), 0)
  return { shows: inFlight > limit, words: `${inFlight} in flight on average, ${limit} are taken` }
}

function arrivals(perS: number, durationMs: number): number[] {
  return Array.from({ length: Math.ceil((perS * durationMs) / 1000) }, (_, index) => (index * 1000) / perS)
}

const burnArrivals = 150_000

/** The canary fails when the counterexample says; what it makes bad until it is rolled back is more than the budget allows. */
export function replayBurn(plan: MeshPlan, { name, counterexample }: Verdict): Replay {
  const rollout = plan.rollout!
  const values = counterexample?.values ?? {}
  const { steps, toleratedBadShare = 0, peakToMean = 1 } = rollout
  const lengths = steps.map((_, index) => values[`seconds of step ${index + 1}`] ?? 0)
  const startS = values['seconds until it fails'] ?? 0
  const begins = lengths.map((_, index) => lengths.slice(0, index).reduce((sum, each) => sum + each, 0))
  const found = Math.max(...begins.map((begin, index) => (begin <= startS ? detectionAt(rollout, index) : 0)))
  const backS = startS + found + rollout.rollbackSeconds
  const burnPerS = burnArrivals / (backS + 1)
  const simulation = new Simulation(
    {
      services: [{ name: 'app', work: { medianMs: 1 } }],
      entries: [{ service: 'app' }],
      load: { atMs: arrivals(burnPerS, (backS + 1) * 1000) },
      slotMs: endMs,
    },
    1,
  )
  const ends = lengths.reduce((sum, each) => sum + each, 0)
  const weights = [
    ...begins.map((atS, index) => ({ atS, weight: steps[index]!.weightPercent / 100 })),
    { atS: ends, weight: 1 },
  ]
  const moments = [...weights.map(({ atS }) => atS), startS]
    .filter((atS) => atS < backS)
    .toSorted((a, b) => a - b)
  for (const atS of moments) {
    simulation.runUntil(atS * 1000)
    const weight = weights.findLast((each) => each.atS <= atS)?.weight ?? 0
    simulation.setCanary('app', { errorShare: atS >= startS ? 1 : toleratedBadShare }, weight)
  }
  simulation.runUntil(backS * 1000)
  simulation.setWeight('app', 0)
  simulation.runUntil(endMs)
  const bad = simulation.requests.failed
    .subarray(0, simulation.requests.count)
    .reduce((sum, each) => sum + each, 0)
  const badS = (bad / burnPerS) * peakToMean
  const share = name.includes('later') ? (rollout.maxLateBudgetShare ?? Infinity) : rollout.maxBudgetShare
  const allowedS = share * rollout.sloWindowSeconds * rollout.allowedBadShare
  return { shows: badS > allowedS, words: `${badS} s of all traffic were bad, ${allowedS} s are allowed` }
}

function detectionAt({ steps, detectionSeconds }: RolloutPlan, index: number): number {
  return steps[index]?.detectionSeconds ?? detectionSeconds
}
