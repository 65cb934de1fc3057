import type { Histogram } from '../../../platform/signals/histogram.ts'

/** What one node, or one edge, of the call graph did in one slot of time. */
export interface Load {
  readonly requests: number
  readonly failures: number
  /** How long the requests took together. */
  readonly requestSeconds: number
}

/**
 * What is conserved along calls and can therefore be shared out among those who caused it: the time of requests, since a
 * caller waits while its callee works, or failed requests, since a caller fails when its callee does.
 */
export type Mass = 'latency' | 'errors'

/** A service, slot by slot. */
export interface ServiceLoads {
  readonly service: string
  readonly slots: readonly Load[]
  /** It stands for a callee as a caller sees it, or for a caller, rather than for a service with code of its own. */
  readonly isProxy?: boolean
}

/** An edge of the call graph; with its slots where the mesh tells them, which makes the shares of shared callees exact. */
export interface CallLoads {
  readonly caller: string
  readonly service: string
  readonly slots?: readonly Load[]
}

/**
 * The services and calls of a period, in slots of the same times. Where a list of slots is shorter than another, its first
 * slots are the missing ones.
 */
export interface Period {
  readonly services: readonly ServiceLoads[]
  readonly calls: readonly CallLoads[]
}

/** Golden signals of a slot, as the loop observes them. */
export interface SignalSlot {
  readonly requests: number
  readonly errors: number
  readonly latency: Histogram
  /** The sum of the latencies; where it is not told, it is estimated from the histogram. */
  readonly latencySumMs?: number
}

/** Example: a slot with 2 requests, 1 error and a latency sum of 300 ms is a load of 2 requests, 1 failure and 0.3 s. */
export function loadOf(slot: SignalSlot): Load {
  const sumMs = slot.latencySumMs ?? latencySumOf(slot.latency)
  return { requests: slot.requests, failures: slot.errors, requestSeconds: sumMs / 1000 }
}

/** Each request at the middle of its bucket; above all bounds, at the highest. */
function latencySumOf({ upperBoundsMs, counts }: Histogram): number {
  let sum = 0
  for (let index = 0; index < counts.length; index++) {
    const lower = upperBoundsMs[index - 1] ?? 0
    const upper = upperBoundsMs[index] ?? lower
    sum += (counts[index] as number) * ((lower + upper) / 2)
  }
  return sum
}

/** NaN for what was not measured: no slot, or a figure that is negative, NaN or infinite. */
export function massOf(load: Load | undefined, mass: Mass): number {
  if (load === undefined || !isCount(load.requests)) return Number.NaN
  if (load.requests === 0) return 0
  const value = mass === 'latency' ? load.requestSeconds : load.failures
  return isCount(value) ? value : Number.NaN
}

function isCount(value: number): boolean {
  return Number.isFinite(value) && value >= 0
}
