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
  /** The same requests by RPC, where the telemetry tells them apart. */
  readonly methods?: Readonly<Record<string, MethodCounts>>
}

/** The requests of one RPC. */
export interface MethodCounts {
  readonly requests: number
  /** By gRPC status. */
  readonly byStatus: Readonly<Record<string, number>>
}

/** Both versions in the same second or more, under the same traffic. */
export interface Slot {
  readonly stable: ArmCounts
  readonly canary: ArmCounts
  /** How long it is; a second when left out. */
  readonly seconds?: number
}

const ok = 0

/** Whether a gRPC status is the service's fault. */
export function isError(status: number): boolean {
  return !goodGrpcStatuses.has(status)
}

/** Whether a gRPC status is neither good nor the service's fault. */
export function isRefusal(status: number): boolean {
  return status !== ok && goodGrpcStatuses.has(status)
}

/** Counts by gRPC status, read as the judge reads them. gRPC's failures come under HTTP 200: only the status tells. */
export function armCounts(
  requestsByStatus: Readonly<Record<string, number>>,
  latencyCounts: readonly number[],
  methods?: ArmCounts['methods'],
): ArmCounts {
  let [requests, errors, refusals] = [0, 0, 0]
  for (const [status, count] of Object.entries(requestsByStatus)) {
    requests += count
    if (isError(Number(status))) errors += count
    else if (isRefusal(Number(status))) refusals += count
  }
  return { requests, errors, refusals, latencyCounts, ...(methods && { methods }) }
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
  const methods = a.methods && combineMethods(a.methods, b.methods ?? {}, with_)
  return {
    requests: with_(a.requests, b.requests),
    errors: with_(a.errors, b.errors),
    refusals: with_(a.refusals, b.refusals),
    latencyCounts: a.latencyCounts.map((count, index) => with_(count, b.latencyCounts[index] ?? 0)),
    ...(methods && { methods }),
  }
}

function combineMethods(
  a: NonNullable<ArmCounts['methods']>,
  b: NonNullable<ArmCounts['methods']>,
  with_: (x: number, y: number) => number,
): NonNullable<ArmCounts['methods']> {
  const both = Object.keys({ ...a, ...b }).map((method): [string, MethodCounts] => {
    const [ours, theirs] = [a[method], b[method]]
    const statuses = Object.keys({ ...ours?.byStatus, ...theirs?.byStatus })
    const byStatus = statuses.map((status) => [
      status,
      with_(ours?.byStatus[status] ?? 0, theirs?.byStatus[status] ?? 0),
    ])
    return [
      method,
      {
        requests: with_(ours?.requests ?? 0, theirs?.requests ?? 0),
        byStatus: Object.fromEntries(byStatus),
      },
    ]
  })
  return Object.fromEntries(both)
}
