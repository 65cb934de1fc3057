import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { durationMetric, requestsMetric } from './golden.ts'

/** A `/metrics` endpoint that a test moves on step by step. It reports as Istio's sidecars do. */
export interface ScriptedTarget {
  readonly url: string
  readonly instance: string
  /** Counts requests, each with its duration. */
  request(labels: RequestLabels, durationsMs: readonly number[]): void
  /** All counters are gone, as after a restart of the process. */
  restart(): void
  /** Answers 503 from now on, or no longer. */
  fail(failing: boolean): void
  /** Ends a step: the number shows in the metric `test_step`, so that a test can wait until a source has seen it. */
  step(): number
  close(): Promise<void>
}

export interface RequestLabels {
  readonly service: string
  readonly caller: string
  readonly version: string
  readonly status: number
}

const labelNames = [
  'reporter',
  'request_protocol',
  'destination_service_name',
  'destination_service_namespace',
  'source_workload',
  'rollouts_pod_template_hash',
  'grpc_response_status',
  'response_code',
]

export async function startScriptedTarget(): Promise<ScriptedTarget> {
  let state = newState(0)
  let failing = false
  const server = createServer(async (_request, response) => {
    response.writeHead(failing ? 503 : 200, { 'content-type': 'text/plain; version=0.0.4' })
    response.end(failing ? '' : await state.registry.metrics())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const instance = `127.0.0.1:${(server.address() as AddressInfo).port}`
  let steps = 0
  return {
    url: `http://${instance}/metrics`,
    instance,
    request: (labels, durationsMs) => {
      for (const durationMs of durationsMs) {
        state.requests.inc(istioLabels(labels))
        state.durations.observe(istioLabels(labels), durationMs)
      }
    },
    restart: () => {
      state = newState(steps)
    },
    fail: (wanted) => {
      failing = wanted
    },
    step: () => {
      steps += 1
      state.step.set(steps)
      return steps
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

function newState(steps: number) {
  const registry = new Registry()
  const registers = [registry]
  const step = new Gauge({ name: 'test_step', help: 'The last step of the script.', registers })
  step.set(steps)
  return {
    registry,
    step,
    requests: new Counter({ name: requestsMetric, help: 'Requests.', labelNames, registers }),
    durations: new Histogram({
      name: durationMetric.replace('_bucket', ''),
      help: 'Durations.',
      labelNames,
      buckets: [1, 5, 10, 50, 100],
      registers,
    }),
  }
}

function istioLabels({ service, caller, version, status }: RequestLabels): Record<string, string> {
  return {
    reporter: 'destination',
    request_protocol: 'grpc',
    destination_service_name: service,
    destination_service_namespace: 'default',
    source_workload: caller,
    rollouts_pod_template_hash: version,
    grpc_response_status: String(status),
    response_code: '200',
  }
}
