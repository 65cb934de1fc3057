import { type Burstiness, calibrate, type PastSlot } from '../../services/deployer/judge/burstiness.ts'
import { betOnMoreFailures, cautious } from '../../services/deployer/judge/failures.ts'
import { lnErrorsNeeded, stakes } from '../../services/deployer/judge/judge.ts'
import { lnEvidence, recalibrateRatio, takeSlot } from '../../services/deployer/judge/ratio-process.ts'
import { poissonVariate, seededRandom } from '../../services/platform/statistics/random.ts'
import { durationOf, weightAt } from '../peers/judge.ts'
import type { Cell } from './cells.ts'
import { Bursts, type Counts, World } from './world.ts'

export const alpha = 0.01
const historySeconds = 3600
const historySlotSeconds = 10
/** Pasts are costly to draw, so rollouts share them: each of so many serves one in so many rollouts. */
const pasts = 1000

/** How one rollout went: the second of the abort (Infinity: none), and the canary's failed requests beyond stable's until then. */
export interface Rollout {
  readonly abortedAt: number
  readonly excess: number
}

/** NEXUS's judge on errors, looking every second. */
export function rollOutOurs(cell: Cell, seed: number): Rollout {
  const world = new World(cell, seededRandom(seed))
  const burstiness = cell.hasHistory ? pastOf(cell, seed % pasts) : calibrate([])
  let process = betOnMoreFailures(alpha * stakes.errors, burstiness)
  const past = new GrowingPast(burstiness.seconds)
  const needed = lnErrorsNeeded(alpha)
  const seconds = durationOf(cell.steps)
  const counts: Counts = { stableRequests: 0, stableEvents: 0, canaryRequests: 0, canaryEvents: 0 }
  while (world.second < seconds) {
    world.advance(1, weightAt(cell.steps, world.second), counts)
    takeSlot(process, counts)
    if (lnEvidence(process) >= needed) return { abortedAt: world.second, excess: world.excess }
    const known = past.after(counts)
    if (known) process = recalibrateRatio(process, cautious(known))
  }
  return { abortedAt: Number.POSITIVE_INFINITY, excess: world.excess }
}

/** Stable's past as it grows during the rollout: the deployer calibrates anew whenever it has doubled, until half an hour is known. */
class GrowingPast {
  readonly #slots: PastSlot[] = []
  #requests = 0
  #events = 0
  #seconds = 0
  #calibratedSeconds: number

  constructor(calibratedSeconds: number) {
    this.#calibratedSeconds = calibratedSeconds
  }

  /** The burstiness when it is to be read anew. */
  after({ stableRequests, stableEvents }: Counts): Burstiness | undefined {
    if (this.#calibratedSeconds >= enoughSeconds) return undefined
    this.#requests += stableRequests
    this.#events += stableEvents
    if (++this.#seconds % slotSeconds !== 0) return undefined
    this.#slots.push({ seconds: slotSeconds, requests: this.#requests, events: this.#events })
    this.#requests = 0
    this.#events = 0
    if (this.#seconds < Math.max(leastSeconds, 2 * this.#calibratedSeconds)) return undefined
    this.#calibratedSeconds = this.#seconds
    return calibrate(this.#slots)
  }
}

const slotSeconds = 5
const leastSeconds = 60
const enoughSeconds = 1800

const known = new Map<string, Burstiness>()

/** Calibrates on an hour of stable alone; like cells have the same pasts. */
function pastOf({ requestsPerSecond, errorShare, variation, burstSeconds }: Cell, seed: number): Burstiness {
  const key = [requestsPerSecond, errorShare, variation, burstSeconds, seed].join()
  const found = known.get(key)
  if (found) return found
  const random = seededRandom(`past ${key}`)
  const bursts = new Bursts({ variation, burstSeconds }, random)
  const past = Array.from({ length: historySeconds / historySlotSeconds }, () => {
    let mean = 0
    for (let second = 0; second < historySlotSeconds; second++)
      mean += requestsPerSecond * errorShare * bursts.next()
    const requests = requestsPerSecond * historySlotSeconds
    return { seconds: historySlotSeconds, requests, events: poissonVariate(random, mean) }
  })
  const burstiness = calibrate(past)
  known.set(key, burstiness)
  return burstiness
}
