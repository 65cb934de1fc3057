import { goodGrpcStatuses, grpcStatusOf, reportedByDestination, requestsMetric } from './golden.ts'
import { incrementsBySlot, readTargets } from './increments.ts'
import type { SignalSource } from './signals.ts'

/** Who called whom: an edge of the topology. */
export interface Edge {
  /** The `source_workload`; `unknown` for callers outside the mesh. */
  readonly caller: string
  readonly service: string
  readonly namespace: string
  readonly requests: number
  readonly errors: number
}

/**
 * The edges whose counters were scraped in a window, also those without a request in it; sorted. Errors: SignalsUnavailableError.
 */
export async function edgesOf(
  source: SignalSource,
  window: { startMs: number; endMs: number; namespace?: string },
): Promise<Edge[]> {
  const { startMs, endMs, namespace } = window
  const labels = {
    ...reportedByDestination,
    ...(namespace !== undefined && { destination_service_namespace: namespace }),
  }
  const edges = new Map<string, Edge>()
  for (const { series, scrapes } of await readTargets(source, { metric: requestsMetric, labels }, window)) {
    for (const one of series.filter(({ samples }) => samples.some(({ atMs }) => atMs >= startMs))) {
      const [requests = 0] = incrementsBySlot(one, scrapes, { startMs, endMs, slotMs: endMs - startMs })
      add(edges, one.labels, requests)
    }
  }
  return [...edges].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, edge]) => edge)
}

function add(edges: Map<string, Edge>, labels: Readonly<Record<string, string>>, requests: number): void {
  const caller = labels.source_workload || 'unknown'
  const service = labels.destination_service_name ?? ''
  const namespace = labels.destination_service_namespace ?? ''
  const key = JSON.stringify([caller, service, namespace])
  const known = edges.get(key) ?? { caller, service, namespace, requests: 0, errors: 0 }
  const errors = goodGrpcStatuses.has(grpcStatusOf(labels)) ? 0 : requests
  edges.set(key, { ...known, requests: known.requests + requests, errors: known.errors + errors })
}
