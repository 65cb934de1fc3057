import type { Property } from '../../services/meta-controller/analysis/proof/obligation.ts'
import type { Random } from '../../services/platform/statistics/random.ts'
import type { Draft } from './meshes.ts'

export type Mutate = (plan: Draft, random: Random) => void

/** Ways to break one property. */
export interface BugClass {
  readonly property: Property
  readonly mutations: Readonly<Record<string, Mutate>>
  /** Whether the plan now breaks the property, as far as the mutation by itself does not make sure of it. */
  readonly isBug?: (plan: Draft) => boolean
}

export const scaled = (value: number | undefined, factor: number) =>
  Math.max(1, Math.round((value ?? 0) * factor))
export const multiplied = (random: Random) => 1.1 + random() * 3
