import { createCusum } from './cusum.ts'
import type { Detector } from './detector.ts'
import { createNeighbourDistance } from './neighbours.ts'
import { createRelativeEntropy } from './relative-entropy.ts'
import { createSeasonalEnvelope } from './seasonal.ts'
import { TailCalibrator } from './tail.ts'

/** `full` has the nearest neighbours too; `fast` is for many series at once. */
export type Tier = 'full' | 'fast'

const neighbourMemory = 750
const mostPerMember = 12

/**
 * The sum of -log10 p over the members, each calibrated by its own tail: unlike detectors add up once they speak of
 * probabilities. 0 during the first 50 values.
 */
export function createEnsemble(tier: Tier): Detector {
  const members = membersOf(tier).map((detector) => ({ detector, tail: new TailCalibrator() }))
  return {
    update(value, atMs) {
      let sum = 0
      for (const { detector, tail } of members) {
        const pValue = tail.update(detector.update(value, atMs))
        sum += Math.min(mostPerMember, -Math.log10(pValue))
      }
      return sum
    },
  }
}

function membersOf(tier: Tier): Detector[] {
  const fast = [createSeasonalEnvelope(), createRelativeEntropy(), createCusum()]
  if (tier === 'fast') return fast
  return [
    ...fast,
    createNeighbourDistance({ lag: 19, neighbours: 27, memory: neighbourMemory }),
    createNeighbourDistance({ lag: 40, neighbours: 20, memory: neighbourMemory }),
  ]
}
