import { calibrateJudge } from '../../services/deployer/judge/calibration.ts'
import { beginJudge, isShownWorse, observe } from '../../services/deployer/judge/judge.ts'
import type { ArmCounts } from '../../services/deployer/judge/slot.ts'
import { normalCdf } from '../../services/platform/statistics/normal.ts'
import { binomialVariate, type Random, seededRandom } from '../../services/platform/statistics/random.ts'
import { alpha, type Rollout } from './ours.ts'

/** The canary's requests take this many times as long. */
export interface LatencyCell {
  readonly name: string
  readonly factor: number
  /** How much slower it may be. */
  readonly tolerance: number
}

export const latencyCells = {
  equal: { name: 'equal, a quarter tolerated', factor: 1, tolerance: 0.25 },
  tight: { name: 'equal, a tenth tolerated', factor: 1, tolerance: 0.1 },
  slower13: { name: '1.3 times, a tenth tolerated', factor: 1.3, tolerance: 0.1 },
  slower15: { name: '1.5 times, a quarter tolerated', factor: 1.5, tolerance: 0.25 },
  slower2: { name: '2 times, a quarter tolerated', factor: 2, tolerance: 0.25 },
} satisfies Record<string, LatencyCell>

const [stableRequests, canaryRequests] = [150, 50]
const seconds = 900
const historySlots = 60
const historySlotSeconds = 5
const [medianMs, sigma] = [10, 0.5]
/** Twelve percent apart as the splitter's, from the median to far beyond the 99th percentile. */
const boundsMs = Array.from({ length: 21 }, (_, index) => 8 * 1.12 ** index)

/** NEXUS's whole judge, five minutes of history, latencies only. */
export function rollOutLatency({ factor, tolerance }: LatencyCell, seed: number): Rollout {
  const random = seededRandom(seed)
  const [stable, canary] = [chancesOf(1), chancesOf(factor)]
  const past = Array.from({ length: historySlots }, () => ({
    seconds: historySlotSeconds,
    arm: armOf(stableRequests * historySlotSeconds, stable, random),
  }))
  const calibration = calibrateJudge(past, boundsMs)
  const options = { alpha, allowedErrorShare: 0.01, latencyTolerance: tolerance, boundsMs, calibration }
  let judge = beginJudge(options)
  for (let second = 1; second <= seconds; second++) {
    const slot = {
      stable: armOf(stableRequests, stable, random),
      canary: armOf(canaryRequests, canary, random),
    }
    judge = observe(judge, slot, true)
    if (isShownWorse(judge)) return { abortedAt: second, excess: 0 }
  }
  return { abortedAt: Number.POSITIVE_INFINITY, excess: 0 }
}

/** For each bucket the chance that a request which is past the ones before lies in it. */
function chancesOf(factor: number): number[] {
  const below = boundsMs.map((bound) => normalCdf(Math.log(bound / (factor * medianMs)) / sigma))
  return below.map((share, index) => (share - (below[index - 1] ?? 0)) / (1 - (below[index - 1] ?? 0)))
}

function armOf(requests: number, chances: readonly number[], random: Random): ArmCounts {
  let left = requests
  const latencyCounts = chances.map((chance) => {
    const count = binomialVariate(random, left, chance)
    left -= count
    return count
  })
  return { requests, errors: 0, refusals: 0, latencyCounts: [...latencyCounts, left] }
}
