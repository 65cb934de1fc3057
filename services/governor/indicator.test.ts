import assert from 'node:assert/strict'
import { test } from 'node:test'
import { understandIndicator } from './indicator.ts'

const s = 'destination_service_name="shop"'
const requests = (matchers = '') => `istio_requests_total{${s}${matchers}}`
const buckets = (le: string, more = '') =>
  `istio_request_duration_milliseconds_bucket{${s},le="${le}"${more}}`

const understood: readonly { name: string; good: string; total: string; means: object }[] = [
  {
    name: 'the status 0',
    good: `sum(${requests(',grpc_response_status="0"')})`,
    total: `sum(${requests()})`,
    means: { goodStatuses: [0] },
  },
  {
    name: 'a list of statuses',
    good: requests(',grpc_response_status=~"0|1|3|5"'),
    total: requests(),
    means: { goodStatuses: [0, 1, 3, 5] },
  },
  {
    name: 'all but some statuses, anchored and in brackets',
    good: requests(`,grpc_response_status!~'^(2|4|12|13|14|15)$'`),
    total: requests(),
    means: { goodStatuses: [0, 1, 3, 5, 6, 7, 8, 9, 10, 11, 16] },
  },
  {
    name: 'two conditions at once',
    good: requests(',grpc_response_status!="14",grpc_response_status=~"0|14"'),
    total: requests(),
    means: { goodStatuses: [0] },
  },
  { name: 'a bucket', good: buckets('0.5'), total: buckets('+Inf'), means: { thresholdMs: 0.5 } },
  {
    name: 'rates and blanks, the total from the requests',
    good: ` sum ( rate( ${buckets('250')} [5m] ) ) `,
    total: `sum(increase(${requests()}[1h]))`,
    means: { thresholdMs: 250 },
  },
  {
    name: 'what the signal source asks for by itself, a namespace and a method',
    good: requests(
      ',grpc_response_status="0",reporter="destination",request_protocol="grpc",destination_service_namespace="prod",grpc_method="Get"',
    ),
    total: requests(
      ',grpc_method="Get",destination_service_namespace="prod",request_protocol="grpc",reporter="destination"',
    ),
    means: { namespace: 'prod', method: 'Get' },
  },
]

for (const { name, good, total, means } of understood) {
  test(`understood: ${name}`, () => {
    const indicator = understandIndicator({ good, total })
    assert.equal(indicator.service, 'shop')
    for (const [key, value] of Object.entries(means)) {
      assert.deepEqual((indicator as unknown as Record<string, unknown>)[key], value)
    }
  })
}

const ok = requests(',grpc_response_status="0"')
const refused: readonly { name: string; good?: string; total?: string; message: RegExp }[] = [
  {
    name: 'a quantile',
    good: `histogram_quantile(0.95, sum(rate(${buckets('250')}[5m])))`,
    message: /good: .*histogram_quantile|good: "0\.95/,
  },
  {
    name: 'an aggregation by label',
    good: `sum by (le) (${buckets('250')})`,
    message: /good: sum by: only sum/,
  },
  {
    name: 'another function',
    good: `sum(irate(${ok}[5m]))`,
    message: /good: the function irate\(\) is not understood/,
  },
  { name: 'arithmetic', good: `sum(${ok}) - sum(${ok})`, message: /good: "- sum/ },
  { name: 'something after the end', good: `sum(${ok}) or`, message: /good: "or" after the end/ },
  { name: 'an offset', good: `sum(${ok} offset)`, message: /good: \) is expected, not offset/ },
  { name: 'a rate without a range', good: `sum(rate(${ok}))`, message: /good: rate\(\) needs a range/ },
  {
    name: 'another metric',
    good: `http_requests_total{${s}}`,
    message: /good: the metric http_requests_total is not understood/,
  },
  {
    name: 'HTTP statuses',
    good: requests(',response_code="200"'),
    message: /good: the label response_code is not understood/,
  },
  { name: 'no status', good: requests(), message: /good: it must choose by grpc_response_status/ },
  {
    name: 'every status',
    good: requests(',grpc_response_status!="99"'),
    message: /good: .*for all statuses or for none/,
  },
  {
    name: 'a pattern of statuses',
    good: requests(',grpc_response_status=~"1.*"'),
    message: /good: .*only a list of numbers/,
  },
  {
    name: 'a status in words',
    good: requests(',grpc_response_status="OK"'),
    message: /good: .*must be a number/,
  },
  {
    name: 'no service',
    good: 'istio_requests_total{grpc_response_status="0"}',
    message: /good: it must name the service/,
  },
  {
    name: 'a pattern of services',
    good: ok.replace(s, 'destination_service_name=~"shop"'),
    message: /good: destination_service_name=~"shop": only =/,
  },
  {
    name: 'the caller’s side',
    good: ok.replace(s, `${s},reporter="source"`),
    message: /good: reporter="source": it must be "destination"/,
  },
  {
    name: 'a label twice',
    good: ok.replace(s, `${s},${s}`),
    message: /good: destination_service_name is given twice/,
  },
  { name: 'an escape', good: ok.replace('"shop"', '"sh\\x6fp"'), message: /good: the escape/ },
  {
    name: 'another service in total',
    total: 'istio_requests_total{destination_service_name="other"}',
    message: /total: it counts other requests/,
  },
  { name: 'a condition in total', total: ok, message: /total: it must count every request/ },
  {
    name: 'another metric in total',
    total: buckets('+Inf'),
    message: /total: the metric istio_request_duration/,
  },
  {
    name: 'a total of one bucket',
    good: buckets('250'),
    total: buckets('500'),
    message: /total: it must count every request/,
  },
  {
    name: 'a total of all buckets together',
    good: buckets('250'),
    total: `istio_request_duration_milliseconds_bucket{${s}}`,
    message: /total: it must count every request/,
  },
  {
    name: 'no bucket',
    good: `istio_request_duration_milliseconds_bucket{${s}}`,
    total: buckets('+Inf'),
    message: /good: it must choose one bucket/,
  },
  {
    name: 'an endless bucket',
    good: buckets('+Inf'),
    total: buckets('+Inf'),
    message: /good: le="\+Inf": it must be the bound/,
  },
  {
    name: 'latency of the good ones alone',
    good: buckets('250', ',grpc_response_status="0"'),
    total: buckets('+Inf'),
    message: /good: latency by grpc_response_status/,
  },
  { name: 'a query without end', good: 'sum('.repeat(1_000), message: /good: it is longer than 2000/ },
]

for (const { name, good = ok, total = requests(), message } of refused) {
  test(`refused by name: ${name}`, () => {
    assert.throws(() => understandIndicator({ good, total }), { name: 'QueryError', message })
  })
}
