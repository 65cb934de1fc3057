import {
  effectOfSwitchback,
  planSwitchback,
  type SlotOutcome,
} from '../../services/meta-controller/analysis/causal/switchback.ts'
import { slowerThan } from '../../services/meta-controller/analysis/histogram.ts'
import { normalQuantile } from '../../services/platform/statistics/normal.ts'
import type { ArmRecorder } from './arms.ts'
import { Guard } from './guard.ts'
import type { Simulation } from './simulator.ts'
import { type Intervention, promise, times, type World } from './world.ts'

/** What a trial found: bad requests spared as a share of all, were the change for all traffic. */
export interface TrialResult {
  readonly gain: number
  readonly standardError: number
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
}

/** Traffic that the treated slots give to the change, in percent. */
export const trialWeightPercent = 50
/** What is measured of each block, in seconds; what comes before it is the washout. */
const measuredSlots = { least: 3, perWashout: 2 }
const maxWashout = 4
/** As many measured slots as an estimate needs at the first look; a trial ends there when it is clear what it says, and else goes on as long again. */
const firstLookRows = 54
/** So many standard errors make it clear at the first look. */
const clearDeviations = 2.6

/**
 * Tries an intervention on half of the traffic in blocks of seconds drawn by lot. The outcome is the share of bad requests of
 * all clients, so that what the change does to others, as by more load on a callee, counts too. The canary judge looks on and ends
 * a trial that does harm.
 */
export function tryOut(
  simulation: Simulation,
  recorder: ArmRecorder,
  world: World,
  { edge, trial }: Intervention,
  { latencyTolerance, slowestMs }: TrialOptions,
): TrialResult {
  const { plan, firstLook, slots } = designOf(slowestMs, world.seed)
  const guard = new Guard(recorder, edge.caller, latencyTolerance, times.onsetMs / 1000)
  const outcomes: SlotOutcome[] = []
  const result = () => resultOf(plan, outcomes, world.seed)
  for (const { slot, isTreated } of plan.slots) {
    simulation.setCanary(edge.caller, trial, isTreated ? trialWeightPercent / 100 : 0)
    const startMs = simulation.nowMs
    recorder.step()
    outcomes.push(outcomeOf(simulation, world, startMs, slot))
    const isHarmful = guard.look(true).verdict === 'worse'
    const isEnough = isHarmful || (slot + 1 === firstLook && isClear(result()))
    if (!isEnough && slot + 1 < slots) continue
    simulation.setWeight(edge.caller, 0)
    return isHarmful
      ? { ...result(), refused: 'the judge calls it worse', gain: 0, standardError: Infinity }
      : result()
  }
  throw new Error('a trial has slots')
}

/** Blocks are longer where answers take longer: what was asked in one block must not be counted in the next. */
function designOf(slowestMs: number, seed: number) {
  const washout = Math.min(maxWashout, Math.max(1, Math.ceil(slowestMs / 1000)))
  const measured = Math.max(measuredSlots.least, measuredSlots.perWashout * washout)
  const blockSlots = washout + measured
  const pairs = Math.ceil(firstLookRows / measured / 2)
  const firstLook = pairs * 2 * blockSlots
  const plan = planSwitchback({ slots: 2 * firstLook, blockSlots, washout, seed })
  if (plan.kind === 'refused') throw new Error(plan.reason)
  return { plan, firstLook, slots: 2 * firstLook }
}

function isClear({ gain, standardError }: TrialResult): boolean {
  return gain - clearDeviations * standardError > 0 || gain + standardError < 0
}

function resultOf(
  plan: ReturnType<typeof planSwitchback>,
  outcomes: readonly SlotOutcome[],
  seed: number,
): TrialResult {
  const effect = effectOfSwitchback(plan, outcomes, seed)
  const badShare = outcomes.reduce((sum, { outcome }) => sum + outcome, 0) / outcomes.length
  const nothing = { gain: 0, standardError: Infinity, badShare, refutations: 0, refutationsFailed: 0 }
  if (effect.kind === 'refused') return { ...nothing, refused: effect.reason }
  const weight = trialWeightPercent / 100
  return {
    gain: -effect.estimate / weight,
    // From the interval, which knows how few pairs of blocks there are.
    standardError: (effect.high - effect.low) / (2 * normalQuantile(0.975)) / weight,
    badShare,
    refutations: effect.refutations.length,
    refutationsFailed: effect.refutations.filter(({ passed }) => !passed).length,
  }
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
