import { callName, type Level, type Levels } from './level.ts'
import type { Scene } from './scene.ts'

/** A slot, or a service, so many robust standard deviations from usual is out of the ordinary. */
export const significant = 3
/** From so many slots on, an incident that no slot shows alone is sought in all of them together. */
const longWindow = 10

/** How far a service is from usual, in robust standard deviations. */
export interface Strangeness {
  /** In the slots that count, of a slot; the same as persistence when all of a long window count. */
  readonly deviation: number
  /** In all slots of the window, where evidence adds up as the root of their number. */
  readonly persistence: number
}

/** How far the services and calls of a window are above their levels, in the slots that count. */
export interface Excesses {
  /** The slots that count. */
  readonly slots: readonly number[]
  /** By service: the mean excess in those slots; 0 where it was not measured. */
  readonly services: readonly number[]
  /** By service: of its mass, or of its latency or share of failures if those are stranger. 0 without levels. */
  readonly strangeness: readonly Strangeness[]
  /** By call: its own mean excess where the mesh tells it, else its callee's. */
  readonly calls: readonly number[]
  /** By service: whether the normal period had it. All are, without levels. */
  readonly isKnown: readonly boolean[]
}

/**
 * The slots in which the target is out of the ordinary count; in a long window all of them when only their sum is; else the
 * worst. Without levels the usual is nothing, and all slots count.
 */
export function excessesOf(scene: Scene, levels: Levels | undefined): Excesses {
  const levelsInPlace = scene.services.map((service) => levels?.services.get(service))
  const slots = chosenSlots(deviationsOf(scene.masses[0]!, levelsInPlace[0]))
  const mean = (column: Float64Array, level: Level | undefined) => meanExcess(scene, column, level, slots)
  const services = scene.masses.map((column, place) => mean(column, levelsInPlace[place]))
  const calls = scene.calls.map(({ caller, callee, mass }) => {
    if (mass === undefined) return services[callee]!
    const name = callName(scene.services[caller]!, scene.services[callee]!)
    return mean(mass, levels?.calls.get(name))
  })
  const strangeness = scene.services.map((service, place) => {
    const ofMass = strangenessOf(scene.masses[place]!, levelsInPlace[place], slots)
    const ofRate = strangenessOf(scene.rates[place]!, levels?.rates.get(service), slots)
    return place > 0 && evidenceIn(ofRate) > evidenceIn(ofMass) ? ofRate : ofMass
  })
  const isKnown = levelsInPlace.map((level) => levels === undefined || level !== undefined)
  return { slots, services, strangeness, calls, isKnown }
}

/** What both measures of strangeness bear out. */
export function evidenceIn({ deviation, persistence }: Strangeness): number {
  return Math.min(deviation, persistence)
}

function strangenessOf(
  column: Float64Array,
  level: Level | undefined,
  slots: readonly number[],
): Strangeness {
  if (level === undefined) return { deviation: 0, persistence: 0 }
  const deviations = deviationsOf(column, level)
  let sum = 0
  let count = 0
  for (const slot of slots) {
    if (Number.isNaN(deviations[slot]!)) continue
    sum += deviations[slot]!
    count++
  }
  const persistence = persistenceOf(deviations)
  if (slots.length === column.length && slots.length >= longWindow)
    return { deviation: persistence, persistence }
  return { deviation: count > 0 ? sum / count : 0, persistence }
}

function deviationsOf(column: Float64Array, level: Level | undefined): Float64Array {
  if (level === undefined) return column.map((value) => value * 0)
  return column.map((value) => (value - level.median) / level.deviation)
}

function persistenceOf(deviations: Float64Array): number {
  let sum = 0
  let count = 0
  for (const deviation of deviations) {
    if (Number.isNaN(deviation)) continue
    sum += deviation
    count++
  }
  return count > 0 ? sum / Math.sqrt(count) : 0
}

function isLasting(deviations: Float64Array): boolean {
  return deviations.length >= longWindow && persistenceOf(deviations) > significant
}

function chosenSlots(deviations: Float64Array): number[] {
  const measured = [...deviations.keys()].filter((slot) => !Number.isNaN(deviations[slot]!))
  const outstanding = measured.filter((slot) => deviations[slot]! > significant)
  if (outstanding.length > 0 || measured.length === 0) return outstanding
  if (isLasting(deviations) || measured.every((slot) => deviations[slot] === 0)) return measured
  return [measured.reduce((one, other) => (deviations[other]! > deviations[one]! ? other : one))]
}

/** Weighed by the scale of the slots. */
function meanExcess(
  scene: Scene,
  column: Float64Array,
  level: Level | undefined,
  slots: readonly number[],
): number {
  let excess = 0
  let weight = 0
  for (const slot of slots) {
    const value = column[slot]!
    if (Number.isNaN(value)) continue
    excess += (value - (level?.median ?? 0)) * scene.scale[slot]!
    weight += scene.scale[slot]!
  }
  return weight > 0 ? excess / weight : 0
}
