import type { VersionSpec } from './mesh.ts'
import { Simulation } from './simulator.ts'
import { type Intervention, promise, times, type World } from './world.ts'

/** What becomes of a world in the hour after the controllers may act. */
export const horizonS = 3600
/** A run covers this much; its last minute stands for the rest of the hour. */
const earlyMs = 30_000
/** Runs begin so much before, for queues to fill. */
const settleMs = 10_000
const lateMs = 60_000
/** What each change costs to have, as a share of all requests: one that saves fewer is not worth making. */
const upkeepShare = 0.005

/** Bad requests per second early and later, and arrivals per second. */
export interface Loss {
  readonly early: number
  readonly late: number
  readonly ratePerS: number
}

/** What an intervention is worth over the hour: bad requests that it spares, less its upkeep. */
export interface Valued {
  readonly intervention: Intervention | undefined
  readonly value: number
}

export interface Verdict {
  readonly nothing: Loss
  readonly valued: readonly Valued[]
  readonly best: Valued
}

/** Runs the world with each intervention in place from the moment on when controllers may act, and with none. */
export function consult(world: World): Verdict {
  const nothing = lossWith(world, undefined)
  const none: Valued = { intervention: undefined, value: 0 }
  const valued = world.interventions.map((intervention) => ({
    intervention,
    value: worthOf(nothing, lossWith(world, intervention)),
  }))
  const best = valued.reduce((a, b) => (b.value > a.value ? b : a), none as Valued)
  return { nothing, valued: [none, ...valued], best }
}

/** Bad requests that are spared over the hour, less the upkeep. */
function worthOf(nothing: Loss, changed: Loss): number {
  const lateS = horizonS - earlyMs / 1000
  const spared = (nothing.early - changed.early) * (earlyMs / 1000) + (nothing.late - changed.late) * lateS
  return spared - upkeepShare * nothing.ratePerS * horizonS
}

function lossWith(world: World, intervention: Intervention | undefined): Loss {
  const simulation = new Simulation(world.spec, world.seed, times.actMs - settleMs)
  simulation.runUntil(times.actMs)
  if (intervention) install(simulation, intervention.edge.caller, intervention.shipped)
  const splitMs = times.actMs + earlyMs
  const endMs = splitMs + lateMs
  // Requests that came before the end are given the time to end.
  simulation.runUntil(endMs + 5000)
  const early = countBetween(simulation, times.actMs, splitMs)
  const late = countBetween(simulation, splitMs, endMs)
  return {
    early: (early.bad * 1000) / earlyMs,
    late: (late.bad * 1000) / lateMs,
    ratePerS: ((early.all + late.all) * 1000) / (earlyMs + lateMs),
  }
}

export function install(simulation: Simulation, service: string, version: VersionSpec): void {
  simulation.setCanary(service, version, 1)
  simulation.promote(service)
}

/** Requests of clients that began in [fromMs, untilMs): all, and those that failed or took longer than promised. */
export function countBetween(
  { requests }: Simulation,
  fromMs: number,
  untilMs: number,
): { all: number; bad: number } {
  let [all, bad] = [0, 0]
  for (let row = 0; row < requests.count; row++) {
    const startMs = requests.startMs[row]!
    if (startMs < fromMs || startMs >= untilMs) continue
    all++
    if (requests.failed[row] === 1 || requests.durationMs[row]! > promise.thresholdMs) bad++
  }
  return { all, bad }
}
