import { durationMetric, requestsMetric } from '../platform/signals/golden.ts'
import { type IndicatorQuery, type Matcher, parseIndicatorQuery, QueryError } from './indicator-query.ts'

/** What an SLO counts as good, and of which requests. */
export type Indicator = {
  readonly service: string
  readonly namespace?: string
  /** Where an Istio tag override adds the label `grpc_method`. */
  readonly method?: string
} & (
  | { readonly kind: 'availability'; readonly goodStatuses: readonly number[] }
  | { readonly kind: 'latency'; readonly thresholdMs: number }
)

const durationCountMetric = 'istio_request_duration_milliseconds_count'
const grpcStatuses = Array.from({ length: 17 }, (_, status) => status)

/** Labels by which the signal source can choose requests, beside the two that it fixes itself. */
const scopeLabels = ['destination_service_name', 'destination_service_namespace', 'grpc_method'] as const
const fixedLabels: Readonly<Record<string, string>> = { reporter: 'destination', request_protocol: 'grpc' }

/**
 * Understands a pair of queries as one of the two indicators that the governor computes: availability by
 * `grpc_response_status` of `istio_requests_total`, or latency by `le` of `istio_request_duration_milliseconds_bucket`.
 * Errors: QueryError beginning with `good:` or `total:`.
 */
export function understandIndicator(queries: { good: string; total: string }): Indicator {
  const good = named('good', () => parseIndicatorQuery(queries.good))
  const total = named('total', () => parseIndicatorQuery(queries.total))
  const scope = named('good', () => scopeOf(good))
  if (JSON.stringify(named('total', () => scopeOf(total))) !== JSON.stringify(scope)) {
    throw new QueryError(
      'total: it counts other requests than good does: service, namespace and method must agree',
    )
  }
  if (good.metric === requestsMetric) {
    named('total', () => checkTotal(total, [requestsMetric]))
    return { kind: 'availability', ...scope, goodStatuses: named('good', () => statusesOf(good)) }
  }
  if (good.metric === durationMetric) {
    named('total', () => checkTotal(total, [durationMetric, durationCountMetric, requestsMetric]))
    return { kind: 'latency', ...scope, thresholdMs: named('good', () => thresholdOf(good)) }
  }
  throw new QueryError(
    `good: the metric ${good.metric} is not understood: use ${requestsMetric} or ${durationMetric}`,
  )
}

function named<T>(side: 'good' | 'total', work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof QueryError) throw new QueryError(`${side}: ${error.message}`)
    throw error
  }
}

function scopeOf({ matchers }: IndicatorQuery): { service: string; namespace?: string; method?: string } {
  const scope = new Map<string, string>()
  for (const { label, operator, value } of matchers) {
    if (label === 'le' || label === 'grpc_response_status') continue
    if (operator !== '=')
      throw new QueryError(`${label}${operator}"${value}": only = is understood for this label`)
    if (scope.has(label)) throw new QueryError(`${label} is given twice`)
    if (label in fixedLabels) {
      if (value !== fixedLabels[label])
        throw new QueryError(`${label}="${value}": it must be "${fixedLabels[label]}"`)
    } else if (!scopeLabels.some((known) => known === label)) {
      throw new QueryError(`the label ${label} is not understood`)
    }
    scope.set(label, value)
  }
  const service = scope.get('destination_service_name')
  if (!service) throw new QueryError('it must name the service: destination_service_name="…"')
  return { service, namespace: scope.get('destination_service_namespace'), method: scope.get('grpc_method') }
}

/** The total of either indicator has no further condition: all requests count. */
function checkTotal({ metric, matchers }: IndicatorQuery, metrics: readonly string[]): void {
  if (!metrics.includes(metric)) throw new QueryError(`the metric ${metric} does not belong to good's`)
  const conditions = matchers.filter(({ label }) => label === 'le' || label === 'grpc_response_status')
  const [only] = conditions
  const isAll =
    metric === durationMetric
      ? conditions.length === 1 && only?.label === 'le' && only.operator === '=' && only.value === '+Inf'
      : conditions.length === 0
  if (!isAll)
    throw new QueryError('it must count every request: no grpc_response_status, and le="+Inf" of buckets')
}

function statusesOf({ matchers }: IndicatorQuery): number[] {
  const conditions = matchers.filter(({ label }) => label === 'grpc_response_status')
  if (matchers.some(({ label }) => label === 'le')) throw new QueryError(`${requestsMetric} has no label le`)
  if (conditions.length === 0)
    throw new QueryError('it must choose by grpc_response_status (gRPC failures carry HTTP 200)')
  const good = grpcStatuses.filter((status) => conditions.every((matcher) => matches(matcher, status)))
  if (good.length === 0 || good.length === grpcStatuses.length) {
    throw new QueryError('its grpc_response_status holds for all statuses or for none')
  }
  return good
}

/** A regular expression is understood when it is a list of numbers, which is what people write here: `0|1|3` or `^(0|1|3)$`. */
function matches({ operator, value }: Matcher, status: number): boolean {
  if (operator === '=' || operator === '!=') {
    if (!/^\d{1,2}$/.test(value))
      throw new QueryError(`grpc_response_status${operator}"${value}": it must be a number, such as "0"`)
    return (value === String(status)) === (operator === '=')
  }
  const listed = /^\^?\(?(\d{1,2}(?:\|\d{1,2})*)\)?\$?$/.exec(value)?.[1]?.split('|')
  if (!listed)
    throw new QueryError(
      `grpc_response_status${operator}"${value}": only a list of numbers such as "0|1|3" is understood`,
    )
  return listed.includes(String(status)) === (operator === '=~')
}

function thresholdOf({ matchers }: IndicatorQuery): number {
  const status = matchers.find(({ label }) => label === 'grpc_response_status')
  if (status)
    throw new QueryError(
      'latency by grpc_response_status is not understood: state availability in an SLO of its own',
    )
  const [le, ...others] = matchers.filter(({ label }) => label === 'le')
  if (!le || others.length > 0 || le.operator !== '=')
    throw new QueryError('it must choose one bucket: le="250"')
  const thresholdMs = /^\d+(\.\d+)?$/.test(le.value) ? Number(le.value) : 0
  if (!(thresholdMs > 0))
    throw new QueryError(`le="${le.value}": it must be the bound of a bucket in milliseconds`)
  return thresholdMs
}
