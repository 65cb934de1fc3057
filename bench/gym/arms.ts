import { type ArmCounts, type Slot, subtractCounts } from '../../services/deployer/judge/slot.ts'
import type { Simulation } from './simulator.ts'
import type { ArmTotals } from './telemetry.ts'

/** Runs a simulation second by second and keeps, for some services, what both versions did in each. */
export class ArmRecorder {
  readonly #simulation: Simulation
  readonly #last = new Map<string, Slot>()
  readonly #slots = new Map<string, Slot[]>()

  constructor(simulation: Simulation, services: Iterable<string>) {
    this.#simulation = simulation
    for (const service of services) {
      this.#last.set(service, snapshot(simulation, service))
      this.#slots.set(service, [])
    }
  }

  /** One second further. */
  step(): void {
    this.#simulation.runUntil(this.#simulation.nowMs + 1000)
    for (const [service, last] of this.#last) {
      const now = snapshot(this.#simulation, service)
      this.#last.set(service, now)
      this.#slots.get(service)!.push({
        stable: subtractCounts(now.stable, last.stable),
        canary: subtractCounts(now.canary, last.canary),
      })
    }
  }

  /** The seconds so far, oldest first. */
  slotsOf(service: string): readonly Slot[] {
    return this.#slots.get(service) ?? []
  }
}

function snapshot(simulation: Simulation, service: string): Slot {
  const [stable, canary] = simulation.armsOf(service)
  return { stable: copyOf(stable), canary: copyOf(canary) }
}

function copyOf({ requests, errors, latencyCounts }: ArmTotals): ArmCounts {
  return { requests, errors, refusals: 0, latencyCounts: [...latencyCounts] }
}
