import { detectViolation } from '../../services/meta-controller/analysis/detect.ts'
import { judgeSlots } from '../../services/meta-controller/analysis/detection/slots.ts'
import { affectedShare, assessRisk } from '../../services/meta-controller/analysis/risk.ts'
import type { Attribution } from '../../services/meta-controller/analysis/root-cause/attribution.ts'
import { explain, type Observed } from '../../services/meta-controller/analysis/root-cause/explain.ts'
import type { Mass } from '../../services/meta-controller/analysis/root-cause/load.ts'
import { appraise, type ProofOutcome } from '../../services/meta-controller/analysis/utility.ts'
import { quantileOf, sumHistograms } from '../../services/platform/signals/histogram.ts'
import { normalCdf } from '../../services/platform/statistics/normal.ts'
import { ArmRecorder } from './arms.ts'
import { readLog } from './log.ts'
import { observe } from './observed.ts'
import { type RolloutResult, rollOut, rolloutPlan } from './rollout.ts'
import { Simulation } from './simulator.ts'
import { type TrialResult, tryOut } from './trial.ts'
import { type Intervention, type InterventionKind, promise, times, type World } from './world.ts'

/** What a controller made of a world. */
export interface Play {
  /** What is in place in the end. */
  readonly promoted?: Intervention
  /** What was rolled out, promoted or not. */
  readonly rolledOut?: Intervention
  readonly ending: 'declined' | RolloutResult['ending']
  /** Whom it holds to be at fault. */
  readonly culprit?: string
  /** From the moment of acting on. */
  readonly seconds: number
  readonly simulation: Simulation
  readonly reason: string
}

type PlayDetails = {
  readonly [key in 'promoted' | 'rolledOut' | 'culprit']?: Play[key] | undefined
}

export type Prove = (world: World, intervention: Intervention) => Promise<readonly ProofOutcome[]>

const nowMs = 30_000
/** Where the evidence names no culprit yet, it is gathered for so much longer. */
const longerMs = 30_000
/** Each trial costs time and the patience of half of the clients. */
const maxTrials = 3
const surgeFactor = 1.4
const surgeProbability = 1e-4
/** Share of all requests that a change has to spare. */
const leastGain = 0.005

/** The engines, end to end: detection, root cause, proof, trial by lot, risk and utility, canary. */
export async function playMind(world: World, prove: Prove): Promise<Play> {
  const simulation = new Simulation(world.spec, world.seed)
  const recorder = new ArmRecorder(simulation, new Set(world.interventions.map(({ edge }) => edge.caller)))
  while (simulation.nowMs < times.actMs) recorder.step()
  const finish = (ending: Play['ending'], reason: string, rest: PlayDetails = {}): Play => {
    const seconds = (simulation.nowMs - times.actMs) / 1000
    return { ending, reason, seconds, simulation, ...rest }
  }
  const now = observe(simulation, world, times.actMs - nowMs, times.actMs)
  const usual = observe(simulation, world, times.warmMs, times.onsetMs)
  const trouble = findTrouble(world, now)
  if (trouble === undefined) return finish('declined', 'every promise is kept')
  const surge = findSurge(world, now, usual)
  if (surge !== undefined) return finish('declined', surge)
  let attribution = explain(now, usual, { ...trouble, isViolated: true })
  if (attribution.culprit === undefined) {
    while (simulation.nowMs < times.actMs + longerMs) recorder.step()
    const longer = observe(simulation, world, times.onsetMs, simulation.nowMs)
    attribution = explain(longer, usual, { ...trouble, isViolated: true })
    // Failures have hardly a usual level: that the promise is broken is enough to share them out.
    if (attribution.culprit === undefined && trouble.mass === 'errors')
      attribution = explain(longer, undefined, { ...trouble, isViolated: true })
  }
  const candidates = shortlist(world, attribution, trouble.mass, now, usual)
  const p99Of = (service: string) => p99MsOf(service, now)
  const tolerance = latencyTolerance(trouble, p99Of)
  const slowestMs = Math.max(...world.spec.entries.map(({ service }) => p99Of(service)))
  const reasons = [attribution.remark]
  const { culprit } = attribution
  for (const candidate of candidates.slice(0, maxTrials)) {
    const proofs = await prove(world, candidate)
    const refuted = proofs.find(({ status }) => status !== 'proven')
    if (refuted !== undefined) {
      reasons.push(`${candidate.name}: ${refuted.name} is ${refuted.status}`)
      continue
    }
    const told = world.log?.intervention === candidate.name ? readLog(world.log.rows, world.seed) : undefined
    if (told !== undefined) reasons.push(`${candidate.name}: ${told.words}`)
    const trial =
      told?.trusted ??
      tryOut(simulation, recorder, world, candidate, {
        latencyTolerance: tolerance(candidate),
        slowestMs,
        ...meaningOf(candidate, world, usual),
      })
    const verdict = weigh(candidate, trial, proofs, now)
    reasons.push(`${candidate.name}: ${verdict.words}`)
    if (!verdict.isWorthIt) continue
    const result = rollOut(simulation, recorder, candidate, {
      latencyTolerance: tolerance(candidate),
      mass: trouble.mass,
    })
    const findings = result.judgement.findings.map(({ remark }) => remark).join('; ')
    const rest = result.ending === 'promoted' ? { promoted: candidate } : {}
    return finish(result.ending, [...reasons, findings].join(' | '), {
      culprit,
      rolledOut: candidate,
      ...rest,
    })
  }
  return finish('declined', reasons.join(' | '), { culprit })
}

interface Trouble {
  readonly target: string
  readonly mass: Mass
}

/** The entry that breaks a promise most, and which one. */
function findTrouble({ spec }: World, now: Observed): Trouble | undefined {
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
function meaningOf({ edge }: Intervention, { spec }: World, usual: Observed) {
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

function p99MsOf(name: string, { services }: Observed): number {
  const { slots } = services.find(({ service }) => service === name)!
  return quantileOf(sumHistograms(slots.map(({ latency }) => latency)), 0.99) ?? 0
}

const usualTolerance = 0.25
const mostTolerance = 4

/**
 * How much slower the canary may be. A change against slowness a quarter; one against errors may spend half of the time that the entry has
 * left of its promise, as tries that were errors at once take longer when they succeed.
 */
function latencyTolerance({ target, mass }: Trouble, p99Of: (service: string) => number) {
  const leftMs = (promise.thresholdMs - p99Of(target)) / 2
  return ({ edge }: Intervention) => {
    if (mass === 'latency') return usualTolerance
    return Math.min(mostTolerance, Math.max(usualTolerance, leftMs / p99Of(edge.caller)))
  }
}

/** In words, that clients come more often than usual: then it is not the mesh that has changed. */
function findSurge({ spec }: World, now: Observed, usual: Observed): string | undefined {
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
function shortlist(
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

function weigh(
  { edge }: Intervention,
  trial: TrialResult,
  proofs: readonly ProofOutcome[],
  now: Observed,
): { isWorthIt: boolean; words: string } {
  const flows = now.edges.map(({ caller, service, slots }) => ({
    caller,
    service,
    requests: slots!.reduce((sum, { requests }) => sum + requests, 0),
  }))
  const risk = assessRisk({
    trafficShare: affectedShare(edge.caller, flows),
    harmProbability: normalCdf(-trial.gain / trial.standardError),
    firstWeightPercent: rolloutPlan.steps[0]!.weightPercent,
    detectionSeconds: rolloutPlan.detectionSeconds,
    sloWindowSeconds: rolloutPlan.sloWindowSeconds,
    allowedBadShare: rolloutPlan.allowedBadShare,
    rollbackSeconds: rolloutPlan.rollbackSeconds,
    earlierPromotions: 0,
    files: 1,
    lines: 20,
    refutations: trial.refutations,
    refutationsFailed: trial.refutationsFailed,
  })
  const gain = (trial.gain - leastGain) / trial.badShare
  const standardError = trial.standardError / trial.badShare
  const { vetoes, utility, isWorthIt } = appraise({ gain, standardError }, risk, proofs)
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const effect = `spares ${percent(trial.gain)} ± ${percent(1.96 * trial.standardError)} of all requests, ${percent(trial.badShare)} are bad`
  const why = vetoes[0]?.reason ?? `utility ${utility.toFixed(2)}`
  return { isWorthIt, words: `${trial.refused ?? effect}; risk ${risk.score}; ${why}` }
}
