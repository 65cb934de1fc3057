import { coveredSlots } from './coverage.ts'
import { fromCumulative, type Histogram, sumHistograms } from './histogram.ts'
import { type Grid, incrementsBySlot, readTargets, slotCountOf, type TargetSeries } from './increments.ts'
import type { RawSeries, SignalSource } from './signals.ts'

/** What Istio's sidecars report, and the local splitter too (design 5). */
export const requestsMetric = 'istio_requests_total'
export const durationMetric = 'istio_request_duration_milliseconds_bucket'

/** Labels of the series that the called side reports. The caller's side has no version, and counts a request again. */
export const reportedByDestination = { reporter: 'destination', request_protocol: 'grpc' } as const

/** The statuses that are the caller's doing or a refusal in order; all others are errors of the service. From the stock canary query. */
export const goodGrpcStatuses: ReadonlySet<number> = new Set([0, 1, 3, 5, 6, 7, 8, 9, 10, 11, 16])

const unknownGrpcStatus = 2

/** Which requests, and when. Windows that begin and end on whole scrape intervals see one scrape in each. */
export interface GoldenQuery extends Grid {
  readonly service: string
  readonly namespace?: string
  /** The `rollouts_pod_template_hash`; all versions when it is left out. */
  readonly version?: string
  /** The `grpc_method`, where a tag override of Istio adds that label. */
  readonly method?: string
  /** The `source_workload`: the requests of one edge. */
  readonly caller?: string
}

/** One slot of a service's signals; plain data, fit for the journal. */
export interface GoldenSlot {
  readonly startMs: number
  readonly endMs: number
  /** False: not scraped throughout, so the counts are not evidence, and 0 is not "no traffic". */
  readonly covered: boolean
  readonly requests: number
  /** Requests whose status is none of `goodGrpcStatuses`. */
  readonly errors: number
  /** By gRPC status code; a request without one counts under 2, `unknown`. */
  readonly requestsByStatus: Readonly<Record<number, number>>
  readonly latency: Histogram
}

/**
 * Requests, errors and latency of a service, slot by slot. Errors: SignalsUnavailableError; RangeError for a window
 * that has no or too many slots.
 */
export async function goldenSignals(source: SignalSource, query: GoldenQuery): Promise<GoldenSlot[]> {
  const slotCount = slotCountOf(query)
  const labels = labelsOf(query)
  const [requests, durations] = await Promise.all([
    readTargets(source, { metric: requestsMetric, labels }, query),
    readTargets(source, { metric: durationMetric, labels }, query),
  ])
  const statuses = statusesBySlot(requests, query, slotCount)
  const latencies = latenciesBySlot(durations, query, slotCount)
  const covered = coveredSlots(
    requests.map(({ scrapes }) => scrapes),
    query,
  )
  return statuses.map((requestsByStatus, index) => {
    const startMs = query.startMs + index * query.slotMs
    return {
      startMs,
      endMs: Math.min(startMs + query.slotMs, query.endMs),
      covered: covered[index] ?? false,
      ...sumsOf(requestsByStatus),
      requestsByStatus,
      latency: sumHistograms(latencies[index] ?? []),
    }
  })
}

/** One slot out of several adjoining ones; covered only if all are. */
export function sumSlots(slots: readonly GoldenSlot[]): GoldenSlot | undefined {
  const [first] = slots
  if (!first) return undefined
  const requestsByStatus: Record<number, number> = {}
  for (const slot of slots) {
    for (const [status, count] of Object.entries(slot.requestsByStatus)) {
      requestsByStatus[Number(status)] = (requestsByStatus[Number(status)] ?? 0) + count
    }
  }
  return {
    startMs: first.startMs,
    endMs: slots.at(-1)?.endMs ?? first.endMs,
    covered: slots.every(({ covered }) => covered),
    ...sumsOf(requestsByStatus),
    requestsByStatus,
    latency: sumHistograms(slots.map(({ latency }) => latency)),
  }
}

/** The versions of a service that were seen in a window, with their requests, sorted by version. */
export async function versionsOf(
  source: SignalSource,
  query: { service: string; namespace?: string; startMs: number; endMs: number },
): Promise<{ version: string; requests: number }[]> {
  const grid = { startMs: query.startMs, endMs: query.endMs, slotMs: query.endMs - query.startMs }
  const targets = await readTargets(source, { metric: requestsMetric, labels: labelsOf(query) }, query)
  const requests = new Map<string, number>()
  for (const { series, scrapes } of targets) {
    for (const one of series.filter(({ samples }) => samples.some(({ atMs }) => atMs >= query.startMs))) {
      const version = one.labels.rollouts_pod_template_hash ?? ''
      const [count = 0] = incrementsBySlot(one, scrapes, grid)
      requests.set(version, (requests.get(version) ?? 0) + count)
    }
  }
  return [...requests]
    .map(([version, count]) => ({ version, requests: count }))
    .sort((a, b) => (a.version < b.version ? -1 : 1))
}

/** The gRPC status of a series. One without a status was cut off before its trailers. */
export function grpcStatusOf(labels: Readonly<Record<string, string>>): number {
  const text = labels.grpc_response_status ?? ''
  return /^\d{1,2}$/.test(text) ? Number(text) : unknownGrpcStatus
}

function labelsOf(query: Omit<GoldenQuery, keyof Grid>) {
  return {
    ...reportedByDestination,
    destination_service_name: query.service,
    ...(query.namespace !== undefined && { destination_service_namespace: query.namespace }),
    ...(query.version !== undefined && { rollouts_pod_template_hash: query.version }),
    ...(query.method !== undefined && { grpc_method: query.method }),
    ...(query.caller !== undefined && { source_workload: query.caller }),
  }
}

function statusesBySlot(
  targets: readonly TargetSeries[],
  grid: Grid,
  slotCount: number,
): Record<number, number>[] {
  const slots = Array.from({ length: slotCount }, (): Record<number, number> => ({}))
  for (const { series, scrapes } of targets) {
    for (const one of series) {
      const status = grpcStatusOf(one.labels)
      for (const [index, count] of incrementsBySlot(one, scrapes, grid).entries()) {
        const slot = slots[index]
        if (slot && count > 0) slot[status] = (slot[status] ?? 0) + count
      }
    }
  }
  return slots
}

/** For each slot the histograms of all series that differ in more than `le`. */
function latenciesBySlot(targets: readonly TargetSeries[], grid: Grid, slotCount: number): Histogram[][] {
  const slots = Array.from({ length: slotCount }, (): Histogram[] => [])
  for (const { series, scrapes } of targets) {
    for (const buckets of Map.groupBy(series, keyWithoutLe).values()) {
      const counted = buckets.map((one) => ({
        le: one.labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(one.labels.le),
        bySlot: incrementsBySlot(one, scrapes, grid),
      }))
      for (const [index, slot] of slots.entries()) {
        slot.push(fromCumulative(counted.map(({ le, bySlot }) => ({ le, count: bySlot[index] ?? 0 }))))
      }
    }
  }
  return slots
}

function keyWithoutLe({ labels }: RawSeries): string {
  const { le: _, ...others } = labels
  return JSON.stringify(Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function sumsOf(requestsByStatus: Readonly<Record<number, number>>): { requests: number; errors: number } {
  let requests = 0
  let errors = 0
  for (const [status, count] of Object.entries(requestsByStatus)) {
    requests += count
    if (!goodGrpcStatuses.has(Number(status))) errors += count
  }
  return { requests, errors }
}
