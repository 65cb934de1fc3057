import { goodGrpcStatuses } from '../../platform/signals/golden.ts'

/** What one version answered in a slot, or since some moment. */
export interface ArmCounts {
  readonly requests: number
  /** Requests that ended in a status that is the service's fault. */
  readonly errors: number
  /** Requests that ended neither well nor in an error: refused as wrong, not found, cancelled by the caller … */
  readonly refusals: number
  /** All requests by duration, one count for each bound and one past the last. */
  readonly latencyCounts: readonly number[]
}

/** Both versions in the same second or more, under the same traffic. */
export interface Slot {
  readonly stable: ArmCounts
  readonly canary: ArmCounts
}

const ok = 0

/** Counts by gRPC status, read as the judge reads them. gRPC's failures come under HTTP 200: only the status tells. */
export function armCounts(
  requestsByStatus: Readonly<Record<string, number>>,
  latencyCounts: readonly number[],
): ArmCounts {
  let [requests, errors, refusals] = [0, 0, 0]
  for (const [status, count] of Object.entries(requestsByStatus)) {
    requests += count
    if (!goodGrpcStatuses.has(Number(status))) errors += count
    else if (Number(status) !== ok) refusals += count
  }
  return { requests, errors, refusals, latencyCounts }
}

/** Nothing, over so many latency counts. */
export function noCounts(latencyCounts: number): ArmCounts {
  return { requests: 0, errors: 0, refusals: 0, latencyCounts: Array<number>(latencyCounts).fill(0) }
}

export function addCounts(a: ArmCounts, b: ArmCounts): ArmCounts {
  return combine(a, b, (x, y) => x + y)
}

/** What came since: `later` and `earlier` are counts from the same beginning. */
export function subtractCounts(later: ArmCounts, earlier: ArmCounts): ArmCounts {
  return combine(later, earlier, (x, y) => x - y)
}

function combine(a: ArmCounts, b: ArmCounts, with_: (x: number, y: number) => number): ArmCounts {
  return {
    requests: with_(a.requests, b.requests),
    errors: with_(a.errors, b.errors),
    refusals: with_(a.refusals, b.refusals),
    latencyCounts: a.latencyCounts.map((count, index) => with_(count, b.latencyCounts[index] ?? 0)),
  }
}
