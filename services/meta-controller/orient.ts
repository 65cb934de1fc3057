import type { Passage } from '../gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import { quantileOf, sumHistograms } from '../platform/signals/histogram.ts'
import { detectViolation, leastRequests, type Pledge, type Slot, type Violation } from './analysis/detect.ts'
import { affectedShare } from './analysis/risk.ts'
import { blameFor, changesOf, type RootCause } from './blame.ts'
import type { Metric, Wish } from './objective.ts'
import type { BudgetSeen, Observation } from './observe.ts'
import { recordSource } from './remember.ts'
import type { Stage, StageContext } from './stage.ts'

/** Something unusual, with the probability of it if all were well. */
export interface Anomaly {
  readonly service: string
  /** A target metric, or `traffic`, `errors` or `latency` of a change. */
  readonly metric: string
  readonly value: number
  readonly reference: number
  readonly pValue: number
  readonly remark: string
}

/** What the observation means for the objective. */
export interface Situation {
  readonly service: string
  readonly branch: string
  readonly head: string
  readonly permitted: readonly string[]
  /** Promises that are broken: what there is to put right. */
  readonly anomalies: readonly Anomaly[]
  /** What is unlike before, whether it breaks a promise or not. */
  readonly changes: readonly Anomaly[]
  /** Who has how much of the excess; empty where no promise is broken. */
  readonly rootCauses: readonly RootCause[]
  readonly unexplainedShare: number
  /** In words, how the target metric stands. */
  readonly remark: string
  /** Why nothing can be said; absent when something can. */
  readonly notEnough?: string
  readonly trafficShare: number
  readonly sloWindowSeconds: number
  readonly allowedBadShare: number
  readonly relatedKnowledge: readonly string[]
}

const knowledgeTimeoutMs = 5000
const maxRelated = 3
const maxCausesTold = 3
const maxRecordChars = 300

/** Judges the observation, and asks the knowledge graph what is known that bears on it. */
export const orient: Stage<Situation> = async (state, context) => {
  const situation = understand(state.results.observe!, state.wish)
  const relatedKnowledge = await relatedTo(situation, state.wish, context)
  const causes = situation.rootCauses.slice(0, maxCausesTold)
  const told = [...situation.anomalies, ...causes, ...situation.changes].map((one) => one.remark)
  const message = situation.notEnough ?? (told.join('; ') || situation.remark)
  return { result: { ...situation, relatedKnowledge }, message }
}

/** Pure: tests each service against the SLO that the target metric is promised by, and picks the one with the most bad requests. */
export function understand(observation: Observation, wish: Pick<Wish, 'targetMetric'>): Situation {
  const metric = wish.targetMetric
  const judged = observation.services.map((signals) => {
    const budget = budgetFor(metric, signals.service, observation.budgets)
    const violation = budget && detectViolation(signals.slots, pledgeOf(budget))
    return { ...signals, budget, violation }
  })
  const worst = judged.toSorted((a, b) => (b.violation?.bad ?? 0) - (a.violation?.bad ?? 0))[0]
  const changes = changesOf(observation)
  const base = {
    service: worst?.service ?? '',
    changes,
    rootCauses: [],
    unexplainedShare: 0,
    branch: observation.branch,
    head: observation.head,
    permitted: observation.permitted,
    trafficShare: affectedShare(worst?.service ?? '', observation.edges),
    sloWindowSeconds: worst?.budget?.windowSeconds ?? 0,
    allowedBadShare: worst?.budget === undefined ? 0 : allowedBadShareOf(worst.budget),
    relatedKnowledge: [],
  }
  const notEnough = whyNotRunning(observation) ?? whyNotEnough(metric, worst)
  if (worst?.budget === undefined || worst.violation === undefined || notEnough !== undefined) {
    return { ...base, anomalies: [], remark: '', notEnough: notEnough ?? 'the target names no service' }
  }
  const remark = remarkOf(metric, worst.service, worst.slots, worst.budget, worst.violation)
  if (!worst.violation.violated) return { ...base, anomalies: [], remark }
  const value = measuredValue(metric, worst.slots)
  const reference = metric === 'error_rate' ? 1 - worst.budget.objective : worst.budget.thresholdMs
  const anomaly = { service: worst.service, metric, value, reference, pValue: worst.violation.pValue, remark }
  const { culprit, ...blame } = blameFor({ service: worst.service, metric }, observation, changes)
  const service = culprit ?? worst.service
  const trafficShare = affectedShare(service, observation.edges)
  return { ...base, service, trafficShare, anomalies: [anomaly], ...blame, remark }
}

/** A target that does not run has no calls; that they are missing is not what has to be put right. */
function whyNotRunning({ notReady, services }: Observation): string | undefined {
  const served = services.some(({ slots }) => slots.some((slot) => slot.requests > 0))
  return notReady === undefined || served ? undefined : `the target is not ready: ${notReady}`
}

function whyNotEnough(
  metric: Metric,
  worst: { service: string; budget?: BudgetSeen; violation?: Violation; coveredSeconds: number } | undefined,
): string | undefined {
  if (worst === undefined) return 'the target names no service'
  if (worst.budget === undefined)
    return `nexus.yaml has no SLO that promises ${metric} of ${worst.service}: add one`
  const requests = worst.violation?.requests ?? 0
  if (requests >= leastRequests) return undefined
  return `${Math.round(requests)} requests in ${worst.coveredSeconds} s of telemetry, ${leastRequests} are needed`
}

const quantiles: Record<Exclude<Metric, 'error_rate'>, number> = {
  latency_p50: 0.5,
  latency_p95: 0.95,
  latency_p99: 0.99,
}

/** The SLO that promises the metric: for a quantile the latency SLO whose share of fast requests is nearest to it. */
function budgetFor(metric: Metric, service: string, budgets: readonly BudgetSeen[]): BudgetSeen | undefined {
  const own = budgets.filter((budget) => budget.service === service)
  if (metric === 'error_rate') return own.find((budget) => budget.indicator === 'availability')
  const quantile = quantiles[metric]
  const latency = own.filter((budget) => budget.indicator === 'latency')
  return latency.toSorted((a, b) => Math.abs(a.objective - quantile) - Math.abs(b.objective - quantile))[0]
}

/** What an objective such as 0.95 leaves: 0.05, without the rounding of binary fractions. */
export function allowedBadShareOf({ objective }: Pick<BudgetSeen, 'objective'>): number {
  return Number((1 - objective).toPrecision(12))
}

function pledgeOf(budget: BudgetSeen): Pledge {
  const { name: slo, objective, thresholdMs } = budget
  return budget.indicator === 'latency' ? { slo, objective, thresholdMs } : { slo, objective }
}

function measuredValue(metric: Metric, slots: readonly Slot[]): number {
  if (metric !== 'error_rate')
    return quantileOf(sumHistograms(slots.map((slot) => slot.latency)), quantiles[metric]) ?? 0
  const requests = slots.reduce((total, slot) => total + slot.requests, 0)
  return requests === 0 ? 0 : slots.reduce((total, slot) => total + slot.errors, 0) / requests
}

function remarkOf(
  metric: Metric,
  service: string,
  slots: readonly Slot[],
  budget: BudgetSeen,
  violation: Violation,
): string {
  const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`
  const value = measuredValue(metric, slots)
  const bad = metric === 'error_rate' ? 'failed' : `took longer than ${budget.thresholdMs} ms`
  const what =
    metric === 'error_rate' ? `${service} fails` : `${metric} of ${service} is ${value.toFixed(1)} ms`
  return (
    `${what}: ${percent(violation.badShare)} of ${Math.round(violation.requests)} requests ${bad}, ` +
    `${percent(1 - budget.objective)} are allowed (p = ${violation.pValue.toExponential(1)})`
  )
}

async function relatedTo(situation: Situation, wish: Wish, context: StageContext): Promise<string[]> {
  const question = `${wish.goal} ${wish.targetMetric} ${wish.intervention} ${wish.target} ${situation.service}`
  try {
    const options = { signal: context.signal, timeoutMs: knowledgeTimeoutMs }
    const { passages } = await context.peers.knowledge.retrieve({ question, limit: maxRelated }, options)
    return passages.map(toldBy)
  } catch (error) {
    context.signal.throwIfAborted()
    // Knowledge sharpens a judgement; it is never what the judgement rests on.
    context.report(`the knowledge graph did not answer: ${(error as Error).message}`)
    return []
  }
}

/** A record of the loop says in its first line what became of a turn, and why; anything else is told by its title. */
function toldBy({ source, offset, title, text }: Passage): string {
  if (source.startsWith(recordSource) && offset === 0)
    return (text.split('\n', 1)[0] ?? '').slice(0, maxRecordChars)
  return title || text.slice(0, 80)
}
