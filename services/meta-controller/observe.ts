import type { ErrorBudget } from '../gen/nexus/governor/v1/slo_pb.ts'
import { Indicator } from '../gen/nexus/governor/v1/slo_pb.ts'
import { edgesOf } from '../platform/signals/edges.ts'
import { goldenSignals } from '../platform/signals/golden.ts'
import type { Slot } from './analysis/detect.ts'
import { withRetry } from './retry.ts'
import type { Stage, StageContext } from './stage.ts'

/** An SLO and where its error budget stands. */
export interface BudgetSeen {
  readonly name: string
  readonly service: string
  readonly indicator: 'availability' | 'latency'
  readonly objective: number
  readonly thresholdMs: number
  readonly windowSeconds: number
  readonly remaining: number
  readonly burning: boolean
  /** The highest burn rate of the windows that telemetry covers. */
  readonly burnRate: number
}

/** One service's golden signals, a slot a second. */
export interface ServiceSignals {
  readonly service: string
  readonly slots: readonly Slot[]
  readonly coveredSeconds: number
  /** The slots before them, as far as telemetry reaches back, at most `maxHistorySeconds`. */
  readonly history: readonly Slot[]
}

/** A caller, a callee, and the requests between them. */
export interface Edge {
  readonly caller: string
  readonly service: string
  readonly requests: number
  /** Only of calls between services of the target: what a cause is traced along. */
  readonly slots?: readonly Slot[]
  readonly history?: readonly Slot[]
}

/** One step of a roll-out. */
export interface RolloutStep {
  readonly weightPercent: number
  readonly minSeconds: number
}

/** Everything that the turn judges from: it can be judged again from this alone. */
export interface Observation {
  readonly atMs: number
  readonly seconds: number
  readonly head: string
  readonly branch: string
  readonly permitted: readonly string[]
  /** The roll-out's steps, in order; after the last one the change has all the traffic. */
  readonly steps: readonly RolloutStep[]
  readonly services: readonly ServiceSignals[]
  readonly edges: readonly Edge[]
  readonly budgets: readonly BudgetSeen[]
  /** Why the target does not run, in the deployer's words; absent when it does. */
  readonly notReady?: string
}

const slotMs = 1000
/** Waiting for telemetry to cover the window ends at this multiple of it; what is covered by then is what there is. */
const patience = 3
const pollMs = 500
const maxSlots = 120
const maxHistorySeconds = 120
const maxTracedEdges = 16
const inspectTimeoutMs = 60_000
const governorTimeoutMs = 30_000
const deployerTimeoutMs = 30_000

/** Reads the target, its SLOs and their budgets, and its telemetry over the last `observeSeconds`. */
export const observe: Stage<Observation> = async (state, context) => {
  const { target } = state.wish
  const { peers, signal } = context
  const inspectOptions = { signal, timeoutMs: inspectTimeoutMs }
  const inspected = await withRetry(
    () => peers.codeModifier.inspectTarget({ target }, inspectOptions),
    context,
  )
  const governorOptions = { signal, timeoutMs: governorTimeoutMs }
  const slos = { target, documents: inspected.sloDocuments }
  await withRetry(() => peers.governor.applySlos(slos, governorOptions), context)
  await untilReady(target, context)
  const services = await readSignals(inspected.services, context)
  const { budgets } = await withRetry(
    () => peers.governor.getErrorBudgets({ target }, governorOptions),
    context,
  )
  const nowMs = context.clock.nowMs()
  const result: Observation = {
    atMs: nowMs,
    seconds: context.observeSeconds,
    head: inspected.head,
    branch: inspected.branch,
    permitted: inspected.interventions,
    steps: stepsOf(inspected.rollout),
    services,
    edges: await readEdges(nowMs, inspected.services, context),
    budgets: budgets.map(budgetSeen),
    notReady: await whyNotReady(target, context),
  }
  return { result, message: messageOf(result) }
}

/** As after a restart of NEXUS; a target that takes longer is observed as it is, and that it is not ready is part of it. */
const readyWithinMs = 20_000

/**
 * Waits until the target's stable version answers. One that has only just come up is given the time of an observation first:
 * what its clients saw before says nothing about its code.
 */
async function untilReady(target: string, context: StageContext): Promise<void> {
  const { clock, signal, observeSeconds } = context
  const endMs = clock.monotonicMs() + readyWithinMs
  for (let looks = 1; clock.monotonicMs() < endMs; looks++) {
    const reason = await whyNotReady(target, context)
    if (reason === undefined) return looks === 1 ? undefined : clock.sleep(observeSeconds * 1000, signal)
    context.report(`${target} is not ready yet: ${reason}`)
    await clock.sleep(pollMs, signal)
  }
}

/** Waits until every service's telemetry covers the window, or patience ends. */
async function readSignals(services: readonly string[], context: StageContext): Promise<ServiceSignals[]> {
  const { clock, observeSeconds } = context
  const endMs = clock.monotonicMs() + observeSeconds * 1000 * patience
  for (;;) {
    const seen = await Promise.all(services.map((service) => signalsOf(service, context)))
    const covered = Math.min(...seen.map((one) => one.coveredSeconds))
    if (covered >= observeSeconds - 1 || clock.monotonicMs() >= endMs) return seen
    context.report(`telemetry covers ${covered} of ${observeSeconds} s`)
    await clock.sleep(pollMs, context.signal)
  }
}

async function signalsOf(service: string, context: StageContext): Promise<ServiceSignals> {
  const { slots, history } = await windowsOf({ service }, context)
  return { service, coveredSeconds: slots.length, slots, history }
}

/** The window of the observation, and what was before it. */
async function windowsOf(
  which: { service: string; caller?: string },
  context: StageContext,
): Promise<{ slots: Slot[]; history: Slot[] }> {
  const nowMs = context.clock.nowMs()
  // The newest slot may still be filling; the one before it is whole.
  const endMs = Math.floor(nowMs / slotMs) * slotMs
  const seconds = Math.min(context.observeSeconds, maxSlots)
  const beginMs = endMs - seconds * 1000
  const query = { ...which, startMs: beginMs - maxHistorySeconds * 1000, endMs, slotMs }
  const covered = (await goldenSignals(context.signals, query)).filter((slot) => slot.covered)
  const plain = (slots: typeof covered) =>
    slots.map(({ requests, errors, latency }) => ({ requests, errors, latency }))
  return {
    slots: plain(covered.filter((slot) => slot.startMs >= beginMs)),
    history: plain(covered.filter((slot) => slot.startMs < beginMs)),
  }
}

async function readEdges(nowMs: number, services: readonly string[], context: StageContext): Promise<Edge[]> {
  const startMs = nowMs - context.observeSeconds * 1000
  const edges = await edgesOf(context.signals, { startMs, endMs: nowMs })
  const own = new Set(services)
  let traced = 0
  const read = edges.map(async ({ caller, service, requests }): Promise<Edge> => {
    const isTraced = own.has(caller) && own.has(service) && traced++ < maxTracedEdges
    if (!isTraced) return { caller, service, requests }
    return { caller, service, requests, ...(await windowsOf({ service, caller }, context)) }
  })
  return Promise.all(read)
}

async function whyNotReady(target: string, context: StageContext): Promise<string | undefined> {
  const options = { signal: context.signal, timeoutMs: deployerTimeoutMs }
  const { targets } = await withRetry(() => context.peers.deployer.listTargets({}, options), context)
  const status = targets.find((one) => one.target === target)
  return status === undefined || status.ready ? undefined : status.remark
}

function budgetSeen(budget: ErrorBudget): BudgetSeen {
  const slo = budget.slo!
  const covered = budget.burnRates.filter((rate) => rate.covered)
  return {
    name: slo.name,
    service: slo.service,
    indicator: slo.indicator === Indicator.AVAILABILITY ? 'availability' : 'latency',
    objective: slo.objective,
    thresholdMs: slo.thresholdMs,
    windowSeconds: slo.windowS,
    remaining: budget.remaining,
    burning: budget.burning,
    burnRate: Math.max(0, ...covered.map((rate) => rate.longRate)),
  }
}

/** A roll-out that does not say counts as all at once, which is the riskiest. */
const allAtOnce: readonly RolloutStep[] = [{ weightPercent: 100, minSeconds: 0 }]

function stepsOf(rollout: string): readonly RolloutStep[] {
  const { steps = [] } = JSON.parse(rollout || '{}') as {
    steps?: { weight?: number; min_seconds?: number }[]
  }
  if (steps.length === 0) return allAtOnce
  return steps.map(({ weight = 100, min_seconds = 0 }) => ({
    weightPercent: weight,
    minSeconds: min_seconds,
  }))
}

function messageOf(observation: Observation): string {
  const services = observation.services.map(({ service, slots, coveredSeconds }) => {
    const requests = slots.reduce((total, slot) => total + slot.requests, 0)
    return `${service}: ${Math.round(requests)} requests in ${coveredSeconds} s`
  })
  const burning = observation.budgets.filter((budget) => budget.burning)
  const budgets = burning.map((budget) => `${budget.name} burns at ${budget.burnRate.toFixed(1)}×`)
  return [...services, ...budgets].join('; ')
}
