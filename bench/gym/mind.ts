import { affectedShare, assessRisk } from '../../services/meta-controller/analysis/risk.ts'
import type { Attribution } from '../../services/meta-controller/analysis/root-cause/attribution.ts'
import type { Observed } from '../../services/meta-controller/analysis/root-cause/explain.ts'
import { appraise, type ProofOutcome } from '../../services/meta-controller/analysis/utility.ts'
import { normalCdf } from '../../services/platform/statistics/normal.ts'
import { ArmRecorder } from './arms.ts'
import {
  blame,
  findSurge,
  findTrouble,
  latencyTolerance,
  meaningOf,
  p99MsOf,
  shortlist,
  type Trouble,
} from './diagnose.ts'
import { readLog } from './log.ts'
import { observe } from './observed.ts'
import { type RolloutResult, rollOut, rolloutPlan } from './rollout.ts'
import { Simulation } from './simulator.ts'
import { type TrialResult, tryOut } from './trial.ts'
import { type Intervention, times, type World } from './world.ts'

/** What a controller made of a world. */
export interface Play {
  /** What is in place in the end. */
  readonly promoted?: Intervention
  /** What was rolled out, promoted or not. */
  readonly rolledOut?: Intervention
  readonly ending: 'declined' | RolloutResult['ending']
  /** Whom it holds to be at fault. */
  readonly culprit?: string
  /** How many changes were tried on clients before. */
  readonly trials?: number
  /** From the moment of acting on. */
  readonly seconds: number
  readonly simulation: Simulation
  readonly reason: string
}

export type Prove = (world: World, intervention: Intervention) => Promise<readonly ProofOutcome[]>

const nowMs = 30_000
/** Where the evidence names no culprit yet, it is gathered for so much longer. */
const longerMs = 30_000
/** Each trial costs time and the patience of half of the clients. */
const maxTrials = 3
/** Share of all requests that a change has to spare. */
const leastGain = 0.005

/** The engines, end to end: detection, root cause, proof, trial by lot, risk and utility, canary. */
export async function playMind(world: World, prove: Prove): Promise<Play> {
  const simulation = new Simulation(world.spec, world.seed)
  const recorder = new ArmRecorder(simulation, new Set(world.interventions.map(({ edge }) => edge.caller)))
  const diagnosis = diagnose(world, simulation, recorder)
  const played =
    'declined' in diagnosis
      ? { ending: 'declined' as const, reason: diagnosis.declined }
      : await new Attempt(world, simulation, recorder, diagnosis).act(prove)
  return { ...played, simulation, seconds: (simulation.nowMs - times.actMs) / 1000 }
}

interface Diagnosis {
  readonly trouble: Trouble
  readonly attribution: Attribution
  readonly now: Observed
  readonly usual: Observed
}

/** What is wrong and who is at fault; or why there is nothing to do. */
function diagnose(
  world: World,
  simulation: Simulation,
  recorder: ArmRecorder,
): Diagnosis | { readonly declined: string } {
  while (simulation.nowMs < times.actMs) recorder.step()
  const now = observe(simulation, world, times.actMs - nowMs, times.actMs)
  const usual = observe(simulation, world, times.warmMs, times.onsetMs)
  const trouble = findTrouble(world, now)
  if (trouble === undefined) return { declined: 'every promise is kept' }
  const surge = findSurge(world, now, usual)
  if (surge !== undefined) return { declined: surge }
  const attribution = blame(now, usual, trouble, false)
  if (attribution.culprit !== undefined) return { trouble, attribution, now, usual }
  while (simulation.nowMs < times.actMs + longerMs) recorder.step()
  const longer = observe(simulation, world, times.onsetMs, simulation.nowMs)
  return { trouble, attribution: blame(longer, usual, trouble, true), now, usual }
}

/** The candidates one after another, until one is rolled out or none is left. */
class Attempt {
  readonly #world: World
  readonly #simulation: Simulation
  readonly #recorder: ArmRecorder
  readonly #diagnosis: Diagnosis
  readonly #reasons: string[]
  #trials = 0

  constructor(world: World, simulation: Simulation, recorder: ArmRecorder, diagnosis: Diagnosis) {
    this.#world = world
    this.#simulation = simulation
    this.#recorder = recorder
    this.#diagnosis = diagnosis
    this.#reasons = [diagnosis.attribution.remark]
  }

  async act(prove: Prove): Promise<Omit<Play, 'simulation' | 'seconds'>> {
    const { attribution, trouble, now, usual } = this.#diagnosis
    const candidates = shortlist(this.#world, attribution, trouble.mass, now, usual).slice(0, maxTrials)
    const { culprit } = attribution
    const base = { ...(culprit !== undefined && { culprit }) }
    for (const candidate of candidates) {
      const proofs = await prove(this.#world, candidate)
      if (!this.#isWorthIt(candidate, proofs)) continue
      const { ending, judgement } = rollOut(this.#simulation, this.#recorder, candidate, {
        latencyTolerance: this.#toleranceOf(candidate, candidate.policy.attempts),
        mass: trouble.mass,
      })
      this.#reasons.push(...judgement.findings.map(({ remark }) => remark))
      const promoted = ending === 'promoted' ? { promoted: candidate } : {}
      return { ...base, ...promoted, ...this.#told(), ending, rolledOut: candidate }
    }
    return { ...base, ...this.#told(), ending: 'declined' }
  }

  #told() {
    return { trials: this.#trials, reason: this.#reasons.join(' | ') }
  }

  /** Refuses what is not proven before any client meets it, then tries it or reads of an earlier try, and weighs that. */
  #isWorthIt(candidate: Intervention, proofs: readonly ProofOutcome[]): boolean {
    const open = proofs.find(({ status }) => status !== 'proven')
    if (open !== undefined) {
      this.#reasons.push(`${candidate.name}: ${open.name} is ${open.status}`)
      return false
    }
    const trial = this.#fromLog(candidate) ?? this.#try(candidate)
    const { isWorthIt, words } = weigh(candidate, trial, proofs, this.#diagnosis.now)
    this.#reasons.push(`${candidate.name}: ${words}`)
    return isWorthIt
  }

  #fromLog({ name }: Intervention): TrialResult | undefined {
    const { log, seed } = this.#world
    if (log?.intervention !== name) return undefined
    const { words, trusted } = readLog(log.rows, seed)
    this.#reasons.push(`${name}: ${words}`)
    return trusted
  }

  #try(candidate: Intervention): TrialResult {
    const { now, usual } = this.#diagnosis
    this.#trials++
    return tryOut(this.#simulation, this.#recorder, this.#world, candidate, {
      latencyTolerance: this.#toleranceOf(candidate),
      slowestMs: Math.max(...this.#world.spec.entries.map(({ service }) => p99MsOf(service, now))),
      ...meaningOf(candidate, this.#world, usual),
    })
  }

  #toleranceOf(candidate: Intervention, tries?: number): number {
    const { trouble, now } = this.#diagnosis
    return latencyTolerance(trouble, (service) => p99MsOf(service, now))(candidate, tries)
  }
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
