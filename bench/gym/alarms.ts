import { createServiceWatch } from '../../services/meta-controller/analysis/detection/watch.ts'
import { quantileOf } from '../../services/platform/signals/histogram.ts'
import { Simulation } from './simulator.ts'
import type { World } from './world.ts'

/** Alarms that were raised, and the weeks of services that were watched. */
export interface AlarmCount {
  readonly alarms: number
  readonly serviceWeeks: number
}

/** False alarms that each service may raise in a week. */
export const budgetPerWeek = 1
const watchedMs = 600_000
const slotMs = 1000
/** Simulated weeks are short: a service is told of again after a minute, so that each alarm counts. */
const restSlots = 60
const weekMs = 7 * 24 * 3_600_000

/** Watches every service of a healthy world by streaming detection, second by second. */
export function countAlarms({ spec, seed }: World): AlarmCount {
  const simulation = new Simulation(spec, seed)
  simulation.runUntil(watchedMs)
  let alarms = 0
  for (const { name } of spec.services) {
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
    simulation.signals(name, 0, watchedMs).forEach((slot, index) => {
      const { requests, errors, latency } = slot
      const readings = {
        requests,
        errors: { events: errors, exposure: requests },
        latency: quantileOf(latency, latencyQuantile),
      }
      if (watch.update(readings, index * slotMs).alarm) alarms++
    })
  }
  return { alarms, serviceWeeks: (spec.services.length * watchedMs) / weekMs }
}

const latencyQuantile = 0.9
