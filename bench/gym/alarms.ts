import { alarmProbability } from '../../services/meta-controller/analysis/detection/alarm.ts'
import { judgeSlots } from '../../services/meta-controller/analysis/detection/slots.ts'
import { createServiceWatch } from '../../services/meta-controller/analysis/detection/watch.ts'
import { Simulation } from './simulator.ts'
import { times, type World } from './world.ts'

/** False alarms that each service may raise in a week. */
export const budgetPerWeek = 1
const watchedMs = 900_000
const slotMs = 1000
/** Simulated weeks are short: a service is told of again after a minute, so that each alarm counts. */
const restSlots = 60
const weekMs = 7 * 24 * 3_600_000

/** Alarms that were raised, and the weeks of services that were watched. */
export interface AlarmCount {
  readonly alarms: number
  readonly serviceWeeks: number
}

/** Watches every service of a healthy world for a quarter of an hour. */
export function countAlarms({ spec, seed }: World): AlarmCount {
  const simulation = new Simulation(spec, seed)
  simulation.runUntil(watchedMs)
  const alarms = spec.services.reduce((sum, { name }) => sum + alarmsOf(simulation, name), 0)
  return { alarms, serviceWeeks: (spec.services.length * watchedMs) / weekMs }
}

/** Whether the last half minute before the controllers act is out of the ordinary at an entry, by the same budget, looking every half minute. */
export function isTold({ spec }: World, simulation: Simulation): boolean {
  const probability = alarmProbability({
    perWeek: budgetPerWeek,
    slotMs: times.actMs - times.onsetMs,
    metrics: 1,
  })
  return spec.entries.some(({ service }) => {
    const usual = simulation.signals(service, times.warmMs, times.onsetMs)
    const judged = judgeSlots(usual, simulation.signals(service, times.onsetMs, times.actMs))
    return Math.min(...judged.map(({ pValue }) => pValue)) * judged.length <= probability
  })
}

/** How often streaming detection, second by second, tells of a service. */
function alarmsOf(simulation: Simulation, service: string): number {
  const watch = createServiceWatch({
    budgetPerWeek,
    slotMs,
    restSlots,
    metrics: [
      { name: 'requests', kind: 'count' },
      { name: 'errors', kind: 'count', direction: 'up' },
      { name: 'latency', kind: 'level', direction: 'up' },
    ],
  })
  return simulation.signals(service, 0, watchedMs).filter(({ requests, errors, latencySumMs }, slot) => {
    const readings = {
      requests,
      errors: { events: errors, exposure: requests },
      // The mean, since a quantile of Istio's wide buckets hardly moves and then jumps.
      latency: requests > 0 ? latencySumMs / requests : undefined,
    }
    return watch.update(readings, slot * slotMs).alarm
  }).length
}
