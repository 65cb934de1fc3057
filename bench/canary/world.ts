import { gammaVariate, poissonVariate, type Random } from '../../services/platform/statistics/random.ts'
import type { Cell } from './cells.ts'

/** What both versions answered in some seconds. */
export interface Counts {
  stableRequests: number
  stableEvents: number
  canaryRequests: number
  canaryEvents: number
}

/** The two versions of a cell, second by second. Requests come evenly, errors are Poisson variates. */
export class World {
  readonly #cell: Cell
  readonly #random: Random
  readonly #canary: Bursts
  readonly #stable: Bursts
  #second = 0
  /** Errors of the canary so far beyond those that it would have had as stable. */
  excess = 0

  constructor(cell: Cell, random: Random) {
    this.#cell = cell
    this.#random = random
    this.#canary = new Bursts(cell, random)
    this.#stable = new Bursts(cell, random)
  }

  get second(): number {
    return this.#second
  }

  /** The next seconds, at this share of the traffic in percent. */
  advance(seconds: number, weightPercent: number, into: Counts): void {
    const { requestsPerSecond, errorShare, ratio, common } = this.#cell
    const canary = (requestsPerSecond * weightPercent) / 100
    const stable = requestsPerSecond - canary
    let [canaryMean, stableMean, equalMean] = [0, 0, 0]
    for (let end = this.#second + seconds; this.#second < end; this.#second++) {
      const share = errorShare * common(this.#second)
      const canaryShare = share * this.#canary.next()
      canaryMean += canary * canaryShare * ratio(this.#second)
      equalMean += canary * canaryShare
      stableMean += stable * share * this.#stable.next()
    }
    into.canaryRequests = canary * seconds
    into.stableRequests = stable * seconds
    into.canaryEvents = poissonVariate(this.#random, canaryMean)
    into.stableEvents = poissonVariate(this.#random, stableMean)
    this.excess += into.canaryEvents - equalMean
  }
}

/** A version's own factor: for each burst a gamma variate of mean 1; bursts begin at a time of their own. */
export class Bursts {
  readonly #random: Random
  readonly #shape: number
  readonly #seconds: number
  #left: number
  #factor = 1

  constructor({ variation, burstSeconds }: Pick<Cell, 'variation' | 'burstSeconds'>, random: Random) {
    this.#random = random
    this.#shape = variation === 0 ? 0 : 1 / variation ** 2
    this.#seconds = burstSeconds
    this.#left = Math.floor(random() * burstSeconds)
    if (this.#shape > 0) this.#factor = gammaVariate(random, this.#shape, 1)
  }

  /** The factor of the next second. */
  next(): number {
    if (this.#shape === 0) return 1
    if (this.#left === 0) {
      this.#factor = gammaVariate(this.#random, this.#shape, 1)
      this.#left = this.#seconds
    }
    this.#left--
    return this.#factor
  }
}
