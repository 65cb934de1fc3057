import { quantileMs } from '../../services/deployer/judge/quantile.ts'
import { type ArmCounts, subtractCounts } from '../../services/deployer/judge/slot.ts'
import { judgeBoundsMs } from '../../services/deployer/splitter/bounds.ts'
import { quantileOf, sumHistograms } from '../../services/platform/signals/histogram.ts'
import type { Step } from '../peers/judge.ts'
import { decideByRules, rulesJudge } from '../peers/rules.ts'
import type { Play } from './mind.ts'
import { observe } from './observed.ts'
import { Simulation } from './simulator.ts'
import type { ArmTotals } from './telemetry.ts'
import { type Intervention, times, type World } from './world.ts'

const seenMs = 30_000
/** Shorter than Argo's and Flagger's samples, so that what it promotes counts sooner; six measurements in all. */
const steps: readonly Step[] = [10, 25, 50].map((weightPercent) => ({ weightPercent, seconds: 120 }))

/** As many changes as the engines may try. */
const maxAttempts = 3

/** The rule-based controller in the same world, with the same telemetry and interventions; what its canary aborted, it does not try again. */
export function playRules(world: World): Play {
  const simulation = new Simulation(world.spec, world.seed)
  simulation.runUntil(times.actMs)
  const tried: Intervention[] = []
  const ended = (ending: Play['ending'], reason: string, promoted?: Intervention): Play => {
    const seconds = (simulation.nowMs - times.actMs) / 1000
    const rolledOut = tried.at(-1)
    return {
      ending,
      reason,
      seconds,
      simulation,
      ...(rolledOut && { rolledOut }),
      ...(promoted && { promoted }),
    }
  }
  let ending: Play['ending'] = 'declined'
  while (tried.length < maxAttempts) {
    const { option, reason } = decideNow(world, simulation, tried)
    if (option === undefined) return ended(ending, reason)
    tried.push(option.intervention)
    const verdict = rollOutByRules(simulation, option.intervention)
    if (verdict === 'promote') return ended('promoted', reason, option.intervention)
    ending = verdict === 'abort' ? 'aborted' : 'inconclusive'
  }
  return ended(ending, `${maxAttempts} changes were tried`)
}

function decideNow(world: World, simulation: Simulation, tried: readonly Intervention[]) {
  const seen = observe(simulation, world, simulation.nowMs - seenMs, simulation.nowMs)
  const services = seen.services.map(({ service, slots }) => ({
    service,
    requests: slots.reduce((sum, slot) => sum + slot.requests, 0),
    errors: slots.reduce((sum, slot) => sum + slot.errors, 0),
    p99Ms: quantileOf(sumHistograms(slots.map(({ latency }) => latency)), 0.99) ?? 0,
  }))
  const options = world.interventions
    .filter((intervention) => !tried.includes(intervention))
    .map((intervention) => ({
      kind: intervention.kind,
      service: intervention.edge.caller,
      callee: intervention.edge.callee,
      intervention,
    }))
  return decideByRules({ services, calls: seen.edges, options })
}

function rollOutByRules(simulation: Simulation, { edge, shipped }: Intervention) {
  const service = edge.caller
  const judge = rulesJudge(steps)
  let last = armsOf(simulation, service)
  for (;;) {
    simulation.setCanary(service, shipped, judge.weightPercent / 100)
    simulation.runUntil(simulation.nowMs + judge.intervalS * 1000)
    const now = armsOf(simulation, service)
    const arms = {
      canary: armOf(subtractCounts(now.canary, last.canary)),
      stable: armOf(subtractCounts(now.stable, last.stable)),
    }
    last = now
    const verdict = judge.observe({ ...arms, seconds: judge.intervalS })
    if (verdict === 'continue') continue
    if (verdict === 'promote') simulation.promote(service)
    else simulation.setWeight(service, 0)
    return verdict
  }
}

function armsOf(simulation: Simulation, service: string) {
  const copy = ({ requests, errors, latencyCounts }: ArmTotals): ArmCounts => ({
    requests,
    errors,
    refusals: 0,
    latencyCounts: [...latencyCounts],
  })
  const [stable, canary] = simulation.armsOf(service)
  return { stable: copy(stable), canary: copy(canary) }
}

function armOf({ requests, errors, latencyCounts }: ArmCounts) {
  return { requests, errors, p99Ms: quantileMs({ bounds: judgeBoundsMs, counts: latencyCounts }, 0.99) }
}
