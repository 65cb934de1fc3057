import { trace } from '@opentelemetry/api'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { Log } from '../platform/log.ts'
import type { TierCapability, Verdict } from './execution.ts'

/** What the service tells about itself: each function is one thing that happened. */
export interface SandboxEvents {
  /** A tier was tried at the start. */
  tierProbed(capability: TierCapability): void
  /** A program ended, or was refused. Neither its command nor its output is told: both may hold secrets. */
  executionEnded(verdict: Verdict): void
  /** A request was turned away because too many wait. */
  queueWasFull(): void
}

/** Registers the service's metrics. */
export function createSandboxEvents(log: Log, registry: Registry): SandboxEvents {
  const executions = new Counter({
    name: 'nexus_executions_total',
    help: 'Programs run in the sandbox, by tier and by how they ended.',
    labelNames: ['tier', 'outcome'],
    registers: [registry],
  })
  const durations = new Histogram({
    name: 'nexus_execution_duration_seconds',
    help: 'Time that programs ran in the sandbox.',
    labelNames: ['tier'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600],
    registers: [registry],
  })
  return {
    tierProbed: ({ tier, available, remark, loopback, memoryOfAll }) =>
      log.info('sandbox_tier_probed', { tier, available, remark, loopback, memory_of_all: memoryOfAll }),
    executionEnded: (verdict) => {
      const { tier, outcome, exitCode, signal, durationMs, refusal } = verdict
      executions.inc({ tier, outcome })
      if (outcome !== 'refused') durations.observe({ tier }, durationMs / 1000)
      const fields = { tier, outcome, exit_code: exitCode, signal, duration_ms: durationMs }
      if (outcome === 'refused') log.warn('execution_refused', { tier, refusal })
      else log.info('execution_ended', fields)
      trace.getActiveSpan()?.addEvent('execution_ended', fields)
    },
    queueWasFull: () => {
      executions.inc({ tier: 'none', outcome: 'queue-full' })
      log.warn('execution_queue_full')
      trace.getActiveSpan()?.addEvent('execution_queue_full')
    },
  }
}
