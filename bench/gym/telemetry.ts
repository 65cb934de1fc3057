import { bucketOf, istioBoundsMs, judgeBoundsMs } from '../../services/deployer/splitter/bounds.ts'
import type { Histogram } from '../../services/platform/signals/histogram.ts'
import { grownFloats } from './pools.ts'

/** Golden signals of one slot, as the loop's observation has them, with the sum of the latencies besides. */
export interface SignalSlot {
  readonly requests: number
  readonly errors: number
  readonly latency: Histogram
  readonly latencySumMs: number
}

const buckets = istioBoundsMs.length + 1
/** Of a row: requests, errors, sum of latencies, then the buckets. */
const width = 3 + buckets

/** Golden signals by slot for so many things (services or edges), counted at the moment of the answer. */
export class SlotSignals {
  readonly #things: number
  readonly #slotMs: number
  #rows = new Float64Array(0)

  constructor(things: number, slotMs: number) {
    this.#things = things
    this.#slotMs = slotMs
  }

  count(thing: number, atMs: number, durationMs: number, isError: boolean): void {
    const row = (Math.floor(atMs / this.#slotMs) * this.#things + thing) * width
    if (row + width > this.#rows.length) {
      this.#rows = grownFloats(this.#rows, Math.max(row + width * this.#things, this.#rows.length * 2))
    }
    const rows = this.#rows
    rows[row]!++
    if (isError) rows[row + 1]!++
    rows[row + 2]! += durationMs
    rows[row + 3 + bucketOf(istioBoundsMs, durationMs)]!++
  }

  /** The slots of a thing that begin in [fromMs, untilMs). */
  slots(thing: number, fromMs: number, untilMs: number): SignalSlot[] {
    const result: SignalSlot[] = []
    for (let slot = Math.ceil(fromMs / this.#slotMs); slot * this.#slotMs < untilMs; slot++) {
      const row = (slot * this.#things + thing) * width
      const counts = Array.from({ length: buckets }, (_, index) => this.#rows[row + 3 + index] ?? 0)
      result.push({
        requests: this.#rows[row] ?? 0,
        errors: this.#rows[row + 1] ?? 0,
        latency: { upperBoundsMs: istioBoundsMs, counts },
        latencySumMs: this.#rows[row + 2] ?? 0,
      })
    }
    return result
  }
}

/** One version of a service since the start, by the bounds that the canary judge reads. */
export interface ArmTotals {
  requests: number
  errors: number
  readonly latencyCounts: number[]
  latencySumMs: number
}

export function newArm(): ArmTotals {
  return {
    requests: 0,
    errors: 0,
    latencyCounts: new Array<number>(judgeBoundsMs.length + 1).fill(0),
    latencySumMs: 0,
  }
}

export function countArm(arm: ArmTotals, durationMs: number, isError: boolean): void {
  arm.requests++
  if (isError) arm.errors++
  arm.latencySumMs += durationMs
  arm.latencyCounts[bucketOf(judgeBoundsMs, durationMs)]!++
}

/** What became of each request of the clients, in the order of their ends. */
export class RequestLog {
  count = 0
  /** Number of the arrival: the same request has the same one in each run of a world. */
  arrival = new Float64Array(1024)
  startMs = new Float64Array(1024)
  durationMs = new Float64Array(1024)
  /** 1 for an error or a client that gave up. */
  failed = new Float64Array(1024)
  entry = new Float64Array(1024)

  add(arrival: number, entry: number, startMs: number, durationMs: number, failed: boolean): void {
    if (this.count === this.arrival.length) this.#grow()
    const row = this.count++
    this.arrival[row] = arrival
    this.entry[row] = entry
    this.startMs[row] = startMs
    this.durationMs[row] = durationMs
    this.failed[row] = failed ? 1 : 0
  }

  #grow(): void {
    const size = this.arrival.length * 2
    this.arrival = grownFloats(this.arrival, size)
    this.startMs = grownFloats(this.startMs, size)
    this.durationMs = grownFloats(this.durationMs, size)
    this.failed = grownFloats(this.failed, size)
    this.entry = grownFloats(this.entry, size)
  }
}
