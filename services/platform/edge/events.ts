import { Counter, Histogram, type Registry } from 'prom-client'
import type { Log } from '../log.ts'

/** What the edge tells about itself: each function is one thing that happened. */
export interface EdgeEvents {
  /** A port is open. */
  listening(what: 'rest' | 'admin', address: string): void
  /** A request was answered. `route` is a path of the contract, never one that a client made up. */
  answered(request: { route: string; status: number; durationMs: number; consumer: string }): void
  /** The edge itself failed at a request. */
  failed(error: unknown): void
  /** A consumer or a key was made or deleted. */
  consumersChanged(change: string, username: string): void
}

/** Registers the edge's metrics. */
export function createEdgeEvents(log: Log, registry: Registry): EdgeEvents {
  const requests = new Counter({
    name: 'nexus_edge_requests_total',
    help: 'REST requests answered, by path of the contract and HTTP status.',
    labelNames: ['route', 'status'],
    registers: [registry],
  })
  const seconds = new Histogram({
    name: 'nexus_edge_request_seconds',
    help: 'Time from the headers of a REST request to its reply.',
    labelNames: ['route'],
    registers: [registry],
  })
  return {
    listening: (what, address) => log.info('edge_listening', { what, address }),
    answered: ({ route, status, durationMs, consumer }) => {
      requests.inc({ route, status })
      seconds.observe({ route }, durationMs / 1000)
      log.debug('edge_request', { route, status, duration_ms: durationMs, consumer })
    },
    failed: (error) => log.error('edge_request_failed', { error }),
    consumersChanged: (change, username) => log.info('consumers_changed', { change, consumer: username }),
  }
}
