import type { DescMethod } from '@bufbuild/protobuf'
import type { Code } from '@connectrpc/connect'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { codeName } from './status.ts'

/** Upper bounds in seconds, fine around the latencies that SLOs speak of. */
const latencyBucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** The metrics of every gRPC server of the process, on its registry. */
export interface CallMetrics {
  started(method: DescMethod): void
  /** Counts an answered call; `code` is undefined for OK. */
  handled(method: DescMethod, code: Code | undefined, seconds: number): void
  /** The handler's work is over, which may be later than its answer. */
  released(method: DescMethod): void
}

/** Registers the metrics, or finds those that another server of the process has registered. */
export function createCallMetrics(registry: Registry): CallMetrics {
  const handled = handledCounter(registry)
  const handling = handlingHistogram(registry)
  const inFlight = inFlightGauge(registry)
  return {
    started: (method) => inFlight.inc(labelsOf(method)),
    handled: (method, code, seconds) => {
      const labels = labelsOf(method)
      handled.inc({ ...labels, grpc_code: codeName(code) })
      handling.observe(labels, seconds)
    },
    released: (method) => inFlight.dec(labelsOf(method)),
  }
}

function labelsOf(method: DescMethod): { grpc_service: string; grpc_method: string } {
  return { grpc_service: method.parent.typeName, grpc_method: method.name }
}

function handledCounter(registry: Registry) {
  const name = 'grpc_server_handled_total'
  const found = registry.getSingleMetric(name)
  if (found instanceof Counter) return found
  return new Counter({
    name,
    help: 'Calls answered, by code.',
    labelNames: ['grpc_service', 'grpc_method', 'grpc_code'],
    registers: [registry],
  })
}

function handlingHistogram(registry: Registry) {
  const name = 'grpc_server_handling_seconds'
  const found = registry.getSingleMetric(name)
  if (found instanceof Histogram) return found
  return new Histogram({
    name,
    help: 'Time from the request to the end of the answer.',
    labelNames: ['grpc_service', 'grpc_method'],
    buckets: latencyBucketsSeconds,
    registers: [registry],
  })
}

function inFlightGauge(registry: Registry) {
  const name = 'grpc_server_in_flight'
  const found = registry.getSingleMetric(name)
  if (found instanceof Gauge) return found
  return new Gauge({
    name,
    help: 'Calls whose handler is at work.',
    labelNames: ['grpc_service', 'grpc_method'],
    registers: [registry],
  })
}
