import { createContextSurprise } from './context.ts'
import { createCusum } from './cusum.ts'
import type { Detector } from './detector.ts'
import { createNeighbourDistance } from './neighbours.ts'
import { createRangeExcess } from './range-excess.ts'
import { createRelativeEntropy } from './relative-entropy.ts'
import { createSameTimeDistance } from './same-time.ts'
import { TailCalibrator } from './tail.ts'

/** `full` has the nearest neighbours too; `fast` is for many series at once. */
export type Tier = 'full' | 'fast'

/** One kind of evidence, and how much it counts. */
export interface Member {
  readonly name: string
  readonly create: () => Detector
  readonly weight: number
}

const neighbourMemory = 3000

const fastMembers: readonly Member[] = [
  { name: 'same time, 10', create: () => createSameTimeDistance({ length: 10 }), weight: 0.5 },
  { name: 'same time, 30', create: () => createSameTimeDistance({ length: 30 }), weight: 0.5 },
  { name: 'range excess', create: createRangeExcess, weight: 1.5 },
  { name: 'cusum', create: createCusum, weight: 1 },
  { name: 'relative entropy', create: createRelativeEntropy, weight: 1 },
  { name: 'context', create: createContextSurprise, weight: 0.75 },
]

const neighbourMembers: readonly Member[] = [
  {
    name: 'neighbours, 40',
    create: () => createNeighbourDistance({ length: 40, neighbours: 10, memory: neighbourMemory, apart: 40 }),
    weight: 1,
  },
  {
    name: 'neighbours, 1',
    create: () => createNeighbourDistance({ length: 1, neighbours: 20, memory: neighbourMemory, apart: 20 }),
    weight: 0.5,
  },
]

export function membersOf(tier: Tier): readonly Member[] {
  return tier === 'fast' ? fastMembers : [...fastMembers, ...neighbourMembers]
}

const mostPerMember = 12
/** Half of a score comes from the values before: one wild value among calm ones counts half. */
const smoothing = 0.5

/**
 * A detector whose raw scores have been made -log10 of their probability among those before them, at most 12, and smoothed. 0
 * while nothing can be told.
 */
export function calibrated(detector: Detector): Detector {
  const tail = new TailCalibrator()
  let score = 0
  return {
    update(value, atMs) {
      const raw = detector.update(value, atMs)
      const now = Number.isNaN(raw) ? 0 : Math.min(mostPerMember, -Math.log10(tail.update(raw)))
      score += smoothing * (now - score)
      return score
    },
  }
}

/** Squares of larger values would not be finite. */
const largest = 1e150

/**
 * The weighted sum over the calibrated members: unlike detectors add up once they speak of probabilities. Values beyond 1e150
 * either way count as 1e150. Example: after 800 times 3, a 4 scores above 3.
 */
export function createEnsemble(members: readonly Member[]): Detector {
  const detectors = members.map(({ create }) => calibrated(create()))
  const weights = members.map(({ weight }) => weight)
  return {
    update(given, atMs) {
      const value = Math.max(-largest, Math.min(largest, given))
      let sum = 0
      for (let each = 0; each < detectors.length; each++)
        sum += (weights[each] as number) * (detectors[each] as Detector).update(value, atMs)
      return sum
    },
  }
}
