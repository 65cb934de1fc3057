import type { Registry } from 'prom-client'
import { Counter } from 'prom-client'
import type { Log } from '../log.ts'
import type { BreakerState } from './breaker.ts'

export type CacheOutcome = 'hit' | 'miss' | 'stale' | 'error' | 'bypassed'

const requestsName = 'nexus_cache_requests_total'

/** One look-up of a cached function. Not logged: there is one per request. */
export function cacheRequested(registry: Registry, cache: string, outcome: CacheOutcome): void {
  requestsOf(registry).inc({ cache, outcome })
}

/** The breaker before a cache moved. `open` means that requests are computed without it. */
export function cacheBreakerMoved(log: Log, fields: { address: string; state: BreakerState }): void {
  if (fields.state === 'open') log.warn('cache_bypassed', fields)
  if (fields.state === 'closed') log.info('cache_back', fields)
}

const counters = new WeakMap<Registry, Counter<'cache' | 'outcome'>>()

function requestsOf(registry: Registry): Counter<'cache' | 'outcome'> {
  const known = counters.get(registry)
  if (known) return known
  const counter = new Counter({
    name: requestsName,
    help: 'Calls of cached functions by outcome.',
    labelNames: ['cache', 'outcome'] as const,
    registers: [registry],
  })
  counters.set(registry, counter)
  return counter
}
