import type { ArmCounts, Slot } from '../../services/deployer/judge/slot.ts'
import { judgeBoundsMs } from '../../services/deployer/splitter/bounds.ts'
import {
  effectOfSwitchback,
  planSwitchback,
  type SlotOutcome,
  type SwitchbackPlan,
} from '../../services/meta-controller/analysis/causal/switchback.ts'
import { slowerThan } from '../../services/meta-controller/analysis/histogram.ts'
import { normalQuantile } from '../../services/platform/statistics/normal.ts'
import { meanOf, varianceOf } from '../../services/platform/statistics/order.ts'
import type { ArmRecorder } from './arms.ts'
import { Guard } from './guard.ts'
import type { Simulation } from './simulator.ts'
import { type Intervention, promise, times, type World } from './world.ts'

/** Bad requests spared as a share of all, were the change for all traffic. */
export interface Gain {
  readonly gain: number
  readonly standardError: number
}

export interface TrialResult extends Gain {
  /** Share of bad requests while it ran. */
  readonly badShare: number
  readonly refutations: number
  readonly refutationsFailed: number
  /** Why it says nothing; absent when it does. */
  readonly refused?: string
}

export interface TrialOptions {
  readonly latencyTolerance: number
  /** The 99th percentile of the clients' requests. */
  readonly slowestMs: number
  /** Requests of the changed service that take longer break the clients' promise. */
  readonly badFromMs: number
  /** Requests of the changed service for each of a client's. */
  readonly share: number
}

/** Traffic that the treated slots give to the change, in percent. */
export const trialWeightPercent = 50
const trialWeight = trialWeightPercent / 100
/** What is measured of each block, in seconds; what comes before it is the washout. */
const leastMeasured = 3
const maxWashout = 4
/** As many pairs of blocks, and as many measured seconds, as an estimate needs at the first look; a trial ends there when it is clear what it says, and else goes on as long again. */
const firstLookPairs = 10
const firstLookRows = 54
/** So many standard errors make it clear at the first look. */
const clearDeviations = 2.6
/** By more than so many standard errors the two estimates must not differ. */
const mostDisagreement = 2.5

/**
 * Tries an intervention on half of the traffic in blocks of seconds drawn by lot, and estimates its effect twice: on all clients between
 * the blocks, which includes what the change does to others (as by more load on a callee), and between both versions of the changed
 * service within the treated seconds, which is more precise. The canary judge looks on and ends a trial that does harm.
 */
export function tryOut(
  simulation: Simulation,
  recorder: ArmRecorder,
  world: World,
  { edge, trial }: Intervention,
  options: TrialOptions,
): TrialResult {
  const { plan, firstLook, slots } = designOf(options.slowestMs, world.seed)
  const guard = new Guard(recorder, edge.caller, options.latencyTolerance, times.onsetMs / 1000)
  const from = recorder.slotsOf(edge.caller).length
  const outcomes: SlotOutcome[] = []
  const result = () =>
    resultOf(
      effectOfSwitchback(plan, outcomes, world.seed),
      directGain(recorder.slotsOf(edge.caller).slice(from), options),
      meanOf(outcomes.map(({ outcome }) => outcome)),
    )
  for (const { slot, isTreated } of plan.slots) {
    simulation.setCanary(edge.caller, trial, isTreated ? trialWeight : 0)
    const startMs = simulation.nowMs
    recorder.step()
    outcomes.push(outcomeOf(simulation, world, startMs, slot))
    const isHarmful = guard.look(true).verdict === 'worse'
    if (!isHarmful && slot + 1 !== firstLook && slot + 1 !== slots) continue
    const found = isHarmful ? harm(outcomes) : result()
    if (!isHarmful && slot + 1 < slots && !isClear(found)) continue
    simulation.setWeight(edge.caller, 0)
    return found
  }
  throw new Error('a trial has slots')
}

function harm(outcomes: readonly SlotOutcome[]): TrialResult {
  const badShare = meanOf(outcomes.map(({ outcome }) => outcome))
  const refused = 'the judge calls it worse'
  return { gain: 0, standardError: Infinity, badShare, refutations: 0, refutationsFailed: 0, refused }
}

/** Blocks are longer where answers take longer: what was asked in one block must not be counted in the next. */
function designOf(slowestMs: number, seed: number) {
  const washout = Math.min(maxWashout, Math.max(1, Math.ceil(slowestMs / 1000)))
  const measured = Math.max(leastMeasured, washout)
  const blockSlots = washout + measured
  const pairs = Math.max(firstLookPairs, Math.ceil(firstLookRows / measured / 2))
  const firstLook = 2 * blockSlots * pairs
  const plan: SwitchbackPlan = planSwitchback({ slots: 2 * firstLook, blockSlots, washout, seed })
  if (plan.kind === 'refused') throw new Error(plan.reason)
  return { plan, firstLook, slots: 2 * firstLook }
}

function isClear({ gain, standardError }: Gain): boolean {
  return gain - clearDeviations * standardError > 0 || gain + standardError < 0
}

type Effect = ReturnType<typeof effectOfSwitchback>

function resultOf(between: Effect, direct: Gain | undefined, badShare: number): TrialResult {
  const nothing = { gain: 0, standardError: Infinity, badShare, refutations: 0, refutationsFailed: 0 }
  if (between.kind === 'refused') return { ...nothing, refused: between.reason }
  const whole = gainOf(between)
  const refutations = {
    refutations: between.refutations.length,
    refutationsFailed: between.refutations.filter(({ passed }) => !passed).length,
  }
  return { ...(direct ? combined(whole, direct) : whole), badShare, ...refutations }
}

function gainOf(effect: Exclude<Effect, { kind: 'refused' }>): Gain {
  // From the interval, which knows how few pairs of blocks there are.
  const standardError = (effect.high - effect.low) / (2 * normalQuantile(0.975))
  return { gain: -effect.estimate / trialWeight, standardError: standardError / trialWeight }
}

/** Both estimates weighed by their precision, unless they contradict each other or the whole speaks of harm: then what all clients saw counts alone. */
function combined(whole: Gain, direct: Gain): Gain {
  const disagreement = (direct.gain - whole.gain) / Math.hypot(whole.standardError, direct.standardError)
  const isHarm = whole.gain + whole.standardError < 0
  if (!(disagreement < mostDisagreement) || isHarm) return whole
  const [a, b] = [whole.standardError ** -2, direct.standardError ** -2]
  if (!Number.isFinite(a + b)) return whole
  return { gain: (a * whole.gain + b * direct.gain) / (a + b), standardError: (a + b) ** -0.5 }
}

/** The effect on the changed service's own requests as a share of all clients': the mean difference within the seconds in which both versions had some. */
function directGain(slots: readonly Slot[], { badFromMs, share }: TrialOptions): Gain | undefined {
  const differences = slots
    .filter(({ stable, canary }) => stable.requests > 0 && canary.requests > 0)
    .map(({ stable, canary }) => share * (badShareOf(stable, badFromMs) - badShareOf(canary, badFromMs)))
  if (differences.length < leastSeconds) return undefined
  const standardError = Math.sqrt(varianceOf(differences) / differences.length)
  return { gain: meanOf(differences), standardError }
}

/** Fewer seconds say nothing of how much they differ. */
const leastSeconds = 10

function badShareOf({ requests, errors, latencyCounts }: ArmCounts, badFromMs: number): number {
  const slow = slowerThan({ upperBoundsMs: judgeBoundsMs, counts: latencyCounts }, badFromMs)
  return Math.min(1, (errors + slow) / requests)
}

/** Share of bad requests among those that the entries answered in a second. */
function outcomeOf(simulation: Simulation, { spec }: World, atMs: number, slot: number): SlotOutcome {
  let [requests, bad] = [0, 0]
  for (const { service } of spec.entries) {
    for (const signals of simulation.signals(service, atMs, atMs + 1000)) {
      requests += signals.requests
      bad += Math.min(signals.requests, signals.errors + slowerThan(signals.latency, promise.thresholdMs))
    }
  }
  return { slot, outcome: requests === 0 ? 0 : bad / requests, covariates: [requests] }
}
