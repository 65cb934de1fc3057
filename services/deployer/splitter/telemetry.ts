import { bucketOf, istioBoundsMs, judgeBoundsMs } from './bounds.ts'
import type { SplitterCounts } from './control.ts'

/** Callers beyond these are counted as `other`, so that a caller cannot grow the metrics by making up names. */
const maxSources = 50
/** RPCs beyond these are counted as `other`, for the same reason. */
const maxMethods = 20
const maxMethodLength = 200
/** Versions whose series are kept; the oldest is forgotten for the next. */
export const maxVersions = 8

/** One request, answered. */
export interface FinishedRequest {
  readonly version: string
  /** The RPC: the path of the request. */
  readonly method: string
  /** The caller, as it names itself. */
  readonly source: string
  readonly grpcStatus: number
  readonly httpStatus: number
  readonly durationMs: number
}

interface Series {
  readonly source: string
  readonly grpcStatus: number
  readonly httpStatus: number
  requests: number
  sumMs: number
  readonly buckets: Float64Array
}

interface MethodTelemetry {
  requests: number
  readonly byStatus: Record<string, number>
}

interface VersionTelemetry {
  inFlight: number
  readonly methods: Map<string, MethodTelemetry>
  readonly latencies: Float64Array
  readonly series: Map<string, Series>
}

/** Counts requests by version, caller and status; gives them as Istio's metrics and, finer, to the judge. */
export class Telemetry {
  readonly #service: string
  readonly #versions = new Map<string, VersionTelemetry>()
  readonly #sources = new Set<string>()
  readonly #methods = new Set<string>()

  /** `service`: the label `destination_service_name`. */
  constructor(service: string) {
    this.#service = service
  }

  begin(version: string): void {
    this.#of(version).inFlight++
  }

  finish(request: FinishedRequest): void {
    const version = this.#of(request.version)
    version.inFlight--
    version.latencies[bucketOf(judgeBoundsMs, request.durationMs)]!++
    const method = this.#methodOf(version, request.method)
    method.requests++
    method.byStatus[request.grpcStatus] = (method.byStatus[request.grpcStatus] ?? 0) + 1
    const series = this.#seriesOf(version, request)
    series.requests++
    series.sumMs += request.durationMs
    series.buckets[bucketOf(istioBoundsMs, request.durationMs)]!++
  }

  counts(): SplitterCounts {
    const counts: Record<string, SplitterCounts[string]> = {}
    for (const [version, { inFlight, latencies, series, methods }] of this.#versions) {
      const requestsByStatus: Record<string, number> = {}
      for (const { grpcStatus, requests } of series.values()) {
        requestsByStatus[grpcStatus] = (requestsByStatus[grpcStatus] ?? 0) + requests
      }
      counts[version] = {
        inFlight,
        requestsByStatus,
        latencyCounts: [...latencies],
        methods: Object.fromEntries(methods),
      }
    }
    return counts
  }

  /** Prometheus text, format 0.0.4. */
  text(): string {
    const requests = ['# TYPE istio_requests_total counter']
    const durations = ['# TYPE istio_request_duration_milliseconds histogram']
    for (const [version, { series }] of this.#versions) {
      for (const one of series.values()) {
        const labels = this.#labels(version, one)
        requests.push(`istio_requests_total{${labels}} ${one.requests}`)
        durations.push(...histogramLines(labels, one))
      }
    }
    return `${[...requests, ...durations].join('\n')}\n`
  }

  #labels(version: string, { source, grpcStatus, httpStatus }: Series): string {
    return [
      'reporter="destination"',
      `source_workload="${source}"`,
      `destination_service_name="${this.#service}"`,
      'destination_service_namespace="default"',
      'request_protocol="grpc"',
      `response_code="${httpStatus}"`,
      `grpc_response_status="${grpcStatus}"`,
      `rollouts_pod_template_hash="${version}"`,
    ].join(',')
  }

  #of(name: string): VersionTelemetry {
    const known = this.#versions.get(name)
    if (known) return known
    const version = {
      inFlight: 0,
      methods: new Map(),
      latencies: new Float64Array(judgeBoundsMs.length + 1),
      series: new Map(),
    }
    if (this.#versions.size >= maxVersions) this.#forgetOldest()
    this.#versions.set(name, version)
    return version
  }

  #forgetOldest(): void {
    for (const [name, { inFlight }] of this.#versions) {
      if (inFlight > 0) continue
      this.#versions.delete(name)
      return
    }
  }

  #seriesOf({ series }: VersionTelemetry, request: FinishedRequest): Series {
    const source = this.#sourceOf(request.source)
    const { grpcStatus, httpStatus } = request
    const key = `${source}/${grpcStatus}/${httpStatus}`
    const known = series.get(key)
    if (known) return known
    const buckets = new Float64Array(istioBoundsMs.length + 1)
    const made = { source, grpcStatus, httpStatus, requests: 0, sumMs: 0, buckets }
    series.set(key, made)
    return made
  }

  #methodOf({ methods }: VersionTelemetry, path: string): MethodTelemetry {
    const isNew = !this.#methods.has(path)
    const isKept = path.length <= maxMethodLength && (!isNew || this.#methods.size < maxMethods)
    if (isKept && isNew) this.#methods.add(path)
    const name = isKept ? path : 'other'
    const known = methods.get(name)
    if (known) return known
    const made = { requests: 0, byStatus: {} }
    methods.set(name, made)
    return made
  }

  #sourceOf(name: string): string {
    if (!/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(name)) return 'unknown'
    if (!this.#sources.has(name) && this.#sources.size >= maxSources) return 'other'
    this.#sources.add(name)
    return name
  }
}

function histogramLines(labels: string, { buckets, sumMs, requests }: Series): string[] {
  const name = 'istio_request_duration_milliseconds'
  const lines: string[] = []
  let below = 0
  for (const [index, bound] of istioBoundsMs.entries()) {
    below += buckets[index]!
    lines.push(`${name}_bucket{${labels},le="${bound}"} ${below}`)
  }
  lines.push(`${name}_bucket{${labels},le="+Inf"} ${requests}`)
  lines.push(`${name}_sum{${labels}} ${sumMs}`, `${name}_count{${labels}} ${requests}`)
  return lines
}
