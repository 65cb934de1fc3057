import { collectDefaultMetrics, Registry } from 'prom-client'

/** A Prometheus registry with the metrics of the Node process itself: memory, event loop, garbage collection. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}
