import { seededRandom } from '../../services/platform/statistics/random.ts'
import type { PeerJudge } from '../peers/judge.ts'
import { durationOf } from '../peers/judge.ts'
import type { Cell } from './cells.ts'
import type { Rollout } from './ours.ts'
import { type Counts, World } from './world.ts'

/**
 * A peer's judge, called at its own interval, until it aborts or the cell's time is over. After a promotion the canary has all the
 * traffic for the rest of the time, and what it does to callers then counts.
 */
export function rollOutTheirs(cell: Cell, seed: number, judge: PeerJudge): Rollout {
  const world = new World(cell, seededRandom(seed))
  const seconds = durationOf(cell.steps)
  const counts: Counts = { stableRequests: 0, stableEvents: 0, canaryRequests: 0, canaryEvents: 0 }
  const { intervalS } = judge
  while (world.second < seconds) {
    world.advance(intervalS, judge.weightPercent, counts)
    const verdict = judge.observe({
      canary: { requests: counts.canaryRequests, errors: counts.canaryEvents },
      stable: { requests: counts.stableRequests, errors: counts.stableEvents },
      seconds: intervalS,
    })
    if (verdict === 'abort') return { abortedAt: world.second, excess: world.excess }
    if (verdict !== 'continue') {
      if (verdict === 'promote') world.advance(seconds - world.second, 100, counts)
      break
    }
  }
  return { abortedAt: Number.POSITIVE_INFINITY, excess: world.excess }
}
