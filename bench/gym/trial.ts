import {
  effectOfSwitchback,
  planSwitchback,
  type SlotOutcome,
} from '../../services/meta-controller/analysis/causal/switchback.ts'
import { slowerThan } from '../../services/meta-controller/analysis/histogram.ts'
import type { ArmRecorder } from './arms.ts'
import type { Simulation } from './simulator.ts'
import { type Intervention, promise, type World } from './world.ts'

/** What a trial found: bad requests spared as a share of all, were it for all traffic. */
export interface TrialResult {
  readonly gain: number
  readonly standardError: number
  readonly badShare: number
  readonly refutations: number
  readonly refutationsFailed: number
  /** Why it says nothing; absent when it does. */
  readonly refused?: string
}

/** Traffic that the treated slots give to the change. */
const trialWeight = 0.5
const blockSlots = 5
const slots = 70

/**
 * Tries an intervention on half of the traffic in blocks of five seconds drawn by lot. The outcome is the share of bad requests of
 * all clients, so that what the change does to others, as by more load on a callee, counts too.
 */
export function tryOut(
  simulation: Simulation,
  recorder: ArmRecorder,
  world: World,
  intervention: Intervention,
): TrialResult {
  const plan = planSwitchback({ slots, blockSlots, washout: 1, seed: world.seed })
  if (plan.kind === 'refused') throw new Error(plan.reason)
  const startMs = simulation.nowMs
  for (const slot of plan.slots) {
    simulation.setCanary(intervention.edge.caller, intervention.trial, slot.isTreated ? trialWeight : 0)
    recorder.step()
  }
  simulation.setWeight(intervention.edge.caller, 0)
  const outcomes = plan.slots.map(({ slot }) => outcomeOf(simulation, world, startMs + slot * 1000, slot))
  const effect = effectOfSwitchback(plan, outcomes, world.seed)
  const badShare = outcomes.reduce((sum, { outcome }) => sum + outcome, 0) / outcomes.length
  const nothing = { gain: 0, standardError: Infinity, badShare, refutations: 0, refutationsFailed: 0 }
  if (effect.kind === 'refused') return { ...nothing, refused: effect.reason }
  return {
    gain: -effect.estimate / trialWeight,
    standardError: effect.se / trialWeight,
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
