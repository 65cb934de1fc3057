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
import { times, type World } from './world.ts'

const seenMs = 30_000
/** Shorter than Argo's and Flagger's samples, so that what it promotes counts sooner; six measurements in all. */
const steps: readonly Step[] = [10, 25, 50].map((weightPercent) => ({ weightPercent, seconds: 120 }))

/** The rule-based controller in the same world, with the same telemetry and interventions. */
export function playRules(world: World): Play {
  const simulation = new Simulation(world.spec, world.seed, 0)
  simulation.runUntil(times.actMs)
  const seen = observe(simulation, world, times.actMs - seenMs, times.actMs)
  const services = seen.services.map(({ service, slots }) => ({
    service,
    requests: slots.reduce((sum, slot) => sum + slot.requests, 0),
    errors: slots.reduce((sum, slot) => sum + slot.errors, 0),
    p99Ms: quantileOf(sumHistograms(slots.map(({ latency }) => latency)), 0.99) ?? 0,
  }))
  const options = world.interventions.map((intervention) => ({
    kind: intervention.kind,
    service: intervention.edge.caller,
    callee: intervention.edge.callee,
    intervention,
  }))
  const { option, reason } = decideByRules({ services, calls: seen.edges, options })
  if (option === undefined) return { ending: 'declined', seconds: 0, simulation, reason }
  const { intervention } = option
  const service = intervention.edge.caller
  const judge = rulesJudge(steps)
  let last = armsOf(simulation, service)
  for (;;) {
    simulation.setCanary(service, intervention.shipped, judge.weightPercent / 100)
    simulation.runUntil(simulation.nowMs + judge.intervalS * 1000)
    const now = armsOf(simulation, service)
    const arms = {
      canary: armOf(subtractCounts(now.canary, last.canary)),
      stable: armOf(subtractCounts(now.stable, last.stable)),
    }
    last = now
    const verdict = judge.observe({ ...arms, seconds: judge.intervalS })
    if (verdict === 'continue') continue
    const seconds = (simulation.nowMs - times.actMs) / 1000
    const rest = { seconds, simulation, reason, rolledOut: intervention }
    if (verdict === 'promote') {
      simulation.promote(service)
      return { ...rest, ending: 'promoted', promoted: intervention }
    }
    simulation.setWeight(service, 0)
    return { ...rest, ending: verdict === 'abort' ? 'aborted' : 'inconclusive' }
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
