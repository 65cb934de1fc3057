import { amplificationOf } from './amplification.ts'
import type { VersionSpec } from './mesh.ts'
import { maxAmplification } from './proof.ts'
import { Simulation } from './simulator.ts'
import { type Intervention, promise, times, type World } from './world.ts'

/** What a change does counts over the hour after the controllers may act, the window of the worlds' promises. In truth it stays for longer. */
export const horizonS = 3600
/** A run covers this much; its later part stands for the rest. */
const earlyMs = 30_000
/** Runs begin so much before, for queues to fill. */
const settleMs = 5000
const lateMs = 45_000
/** What each change costs to have, as a share of all requests: one that saves fewer is not worth making. */
const upkeepShare = 0.005

/** Requests of clients end within so much: they give up after three seconds. */
export const drainMs = 4000

/** Bad requests per second early and later, and arrivals per second. */
export interface Loss {
  readonly early: number
  readonly late: number
  readonly ratePerS: number
}

/** What an intervention is worth over the horizon: bad requests that it spares, less its upkeep. */
export interface Valued {
  readonly intervention: Intervention | undefined
  readonly value: number
}

/** The best is taken among those that keep the owners' limit on retries. */
export interface Verdict {
  readonly nothing: Loss
  /** The world left alone; it can be run on. */
  readonly alone: Simulation
  /** What a change costs to have. */
  readonly upkeep: number
  readonly valued: readonly Valued[]
  readonly best: Valued
}

/** Runs the world with each intervention in place from the moment on when controllers may act, and with none. */
export function consult(world: World): Verdict {
  const { loss: nothing, simulation: alone } = lossWith(world, undefined)
  const none: Valued = { intervention: undefined, value: 0 }
  const valued = world.interventions.map((intervention) => ({
    intervention,
    value: worthOf(nothing, isIdle(world, intervention) ? nothing : lossWith(world, intervention).loss),
  }))
  const best = valued
    .filter(({ intervention }) => amplificationOf(world.spec, intervention) <= maxAmplification)
    .reduce((a, b) => (b.value > a.value ? b : a), none as Valued)
  return { nothing, alone, upkeep: upkeepOf(nothing), valued: [none, ...valued], best }
}

/** A cache for questions that nobody asks twice keeps nothing: the run would be that of the world left alone, request by request. */
function isIdle({ spec }: World, { kind, edge, trial, shipped }: Intervention): boolean {
  const caller = spec.services.find(({ name }) => name === edge.caller)!
  const hasKeys = (caller.calls ?? []).flat().some(({ to, keys }) => to === edge.callee && keys !== undefined)
  return kind === 'enable_caching' && !hasKeys && shipped === trial
}

/** Bad requests that are spared over the horizon, less the upkeep. */
function worthOf(nothing: Loss, changed: Loss): number {
  const lateS = horizonS - earlyMs / 1000
  const spared = (nothing.early - changed.early) * (earlyMs / 1000) + (nothing.late - changed.late) * lateS
  return spared - upkeepOf(nothing)
}

function upkeepOf({ ratePerS }: Loss): number {
  return upkeepShare * ratePerS * horizonS
}

function lossWith(
  world: World,
  intervention: Intervention | undefined,
): { loss: Loss; simulation: Simulation } {
  const simulation = new Simulation(world.spec, world.seed, times.actMs - settleMs)
  simulation.runUntil(times.actMs)
  if (intervention) install(simulation, intervention.edge.caller, intervention.shipped)
  const splitMs = times.actMs + earlyMs
  const endMs = splitMs + lateMs
  // Requests that came before the end are given the time to end.
  simulation.runUntil(endMs + drainMs)
  const early = countBetween(simulation, times.actMs, splitMs)
  const late = countBetween(simulation, splitMs, endMs)
  const loss = {
    early: (early.bad * 1000) / earlyMs,
    late: (late.bad * 1000) / lateMs,
    ratePerS: ((early.all + late.all) * 1000) / (earlyMs + lateMs),
  }
  return { loss, simulation }
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
