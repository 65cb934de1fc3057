import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import { Indicator } from '../gen/nexus/governor/v1/slo_pb.ts'
import { systemClock } from '../platform/clock.ts'
import { eventually } from '../platform/eventually.testing.ts'
import { OwnedClock, sloDocument, startGovernor, temporaryFolder } from './testing.ts'

const latencyDocument = sloDocument({
  name: 'storefront-p95',
  good: 'sum(istio_request_duration_milliseconds_bucket{destination_service_name="storefront",le="10"})',
  total: 'sum(istio_request_duration_milliseconds_bucket{destination_service_name="storefront",le="+Inf"})',
  objective: { target: 0.95 },
})

test('SLOs are replaced all or none, and outlive a restart', async (t) => {
  const folder = temporaryFolder(t)
  const first = await startGovernor({ folder, clock: new OwnedClock() })
  t.after(() => first.stop())
  const target = 'storefront'
  const { slos } = await first.client.applySlos({ target, documents: [sloDocument(), latencyDocument] })
  assert.deepEqual(
    slos.map(({ name, service, indicator, objective, thresholdMs, windowS }) => [
      name,
      service,
      indicator === Indicator.LATENCY,
      objective,
      thresholdMs,
      windowS,
    ]),
    [
      ['storefront-availability', 'storefront', false, 0.99, 0, 3600],
      ['storefront-p95', 'storefront', true, 0.95, 10, 3600],
    ],
  )
  const wrong = first.client.applySlos({
    target,
    documents: [latencyDocument, sloDocument({ duration: '1x' })],
  })
  await assert.rejects(wrong, (error) => {
    assert.ok(error instanceof ConnectError)
    assert.equal(error.code, Code.InvalidArgument)
    assert.match(
      error.rawMessage,
      /documents: document 2 \(storefront-availability\): spec\.timeWindow\[0\]\.duration/,
    )
    return true
  })
  await first.stop()
  const second = await startGovernor({ folder, clock: new OwnedClock() })
  t.after(() => second.stop())
  const { budgets } = await second.client.getErrorBudgets({ target })
  assert.deepEqual(
    budgets.map(({ slo }) => slo?.name),
    ['storefront-availability', 'storefront-p95'],
  )
  await second.client.applySlos({ target, documents: [] })
  assert.deepEqual((await second.client.getErrorBudgets({ target })).budgets, [])
})

test('a target without SLOs is not found, and telemetry that is away is unavailable', async (t) => {
  const governor = await startGovernor({
    folder: temporaryFolder(t),
    clock: systemClock,
    env: { NEXUS_METRICS_URL: 'prometheus:http://127.0.0.1:1' },
  })
  t.after(() => governor.stop())
  const codeOf = (error: unknown) => (error instanceof ConnectError ? Code[error.code] : String(error))
  const ask = () => governor.client.getErrorBudgets({ target: 'storefront' }).then(() => 'ok', codeOf)
  assert.equal(await ask(), 'NotFound')
  await governor.client.applySlos({ target: 'storefront', documents: [sloDocument()] })
  assert.equal(await ask(), 'Unavailable')
})

/** A workload that reports one more second's worth of requests at each scrape: 100, of which 3 fail and 40 take longer than 10 ms. */
async function startWorkload(t: TestContext): Promise<string> {
  let seconds = 0
  const server: Server = createServer((_, response) => {
    seconds += 1
    response.end(exposition(seconds))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`
}

function exposition(seconds: number): string {
  const labels = 'reporter="destination",request_protocol="grpc",destination_service_name="storefront"'
  const requests = (status: number, count: number) =>
    `istio_requests_total{${labels},grpc_response_status="${status}"} ${count * seconds}`
  const bucket = (le: string, count: number) =>
    `istio_request_duration_milliseconds_bucket{${labels},grpc_response_status="0",le="${le}"} ${count * seconds}`
  return `${[requests(0, 97), requests(14, 3), bucket('5', 50), bucket('10', 60), bucket('25', 99), bucket('+Inf', 100)].join('\n')}\n`
}

test('budgets are read from a live /metrics: both SLOs overspent, the fast windows burning where their limit is passed', async (t) => {
  const scrape = await startWorkload(t)
  const governor = await startGovernor({
    folder: temporaryFolder(t),
    clock: systemClock,
    env: {
      NEXUS_METRICS_URL: `embedded:?scrape=${scrape}&interval_ms=100`,
      NEXUS_SLO_RESOLUTION_SECONDS: '1',
    },
  })
  t.after(() => governor.stop())
  const target = 'storefront'
  await governor.client.applySlos({ target, documents: [sloDocument(), latencyDocument] })
  const [availability, latency] = await eventually(
    'coverage of the shortest windows',
    async () => {
      const { budgets } = await governor.client.getErrorBudgets({ target })
      return budgets.every(({ burnRates }) => burnRates[0]?.covered) ? budgets : undefined
    },
    15_000,
  )
  // 3 % bad of 1 % allowed is a rate of 3; 40 % slow of 5 % allowed is one of 8.
  assert.ok(Math.abs((availability?.remaining ?? 0) - -2) < 0.01, `${availability?.remaining}`)
  assert.ok(Math.abs((latency?.remaining ?? 0) - -7) < 0.01, `${latency?.remaining}`)
  assert.ok(Math.abs((latency?.burnRates[0]?.longRate ?? 0) - 8) < 0.01)
  assert.equal(latency?.burnRates[0]?.burning, false)
  assert.ok((latency?.coveredS ?? 0) >= 4)
  assert.match(
    await governor.registry.metrics(),
    /nexus_error_budget_remaining\{target="storefront",slo="storefront-p95"\} -6\.99|nexus_error_budget_remaining\{target="storefront",slo="storefront-p95"\} -7/,
  )
})
