import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calibrateJudge } from '../../services/deployer/judge/calibration.ts'
import { beginJudge, decide, observe } from '../../services/deployer/judge/judge.ts'
import { seededRandom } from '../../services/platform/statistics/random.ts'
import { ownCells } from './cells.ts'
import { alpha, rollOutOurs } from './ours.ts'
import { type Counts, World } from './world.ts'

test('what the simulation takes for an abort is what the deployer’s judge says, second by second', () => {
  const boundsMs: number[] = []
  for (const cell of [ownCells.tenfoldUnknown, { ...ownCells.twofold, hasHistory: false }]) {
    for (let seed = 0; seed < 5; seed++) {
      const world = new World(cell, seededRandom(seed))
      const counts: Counts = { stableRequests: 0, stableEvents: 0, canaryRequests: 0, canaryEvents: 0 }
      const calibration = calibrateJudge([], boundsMs)
      let judge = beginJudge({
        alpha,
        allowedErrorShare: 0.01,
        latencyTolerance: 0.25,
        boundsMs,
        calibration,
      })
      let abortedAt = Number.POSITIVE_INFINITY
      // Later the simulation would calibrate anew.
      while (world.second < 55 && abortedAt > 900) {
        world.advance(1, 5, counts)
        const arm = (requests: number, errors: number) => ({
          requests,
          errors,
          refusals: 0,
          latencyCounts: [0],
        })
        const slot = {
          stable: arm(counts.stableRequests, counts.stableEvents),
          canary: arm(counts.canaryRequests, counts.canaryEvents),
        }
        judge = observe(judge, slot, true)
        if (decide(judge).verdict === 'worse') abortedAt = world.second
      }
      const { abortedAt: simulated } = rollOutOurs(cell, seed)
      assert.equal(simulated <= 55 ? simulated : Infinity, abortedAt)
    }
  }
})
