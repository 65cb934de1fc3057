import { trace } from '@opentelemetry/api'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { Log } from '../platform/log.ts'

/** Everything that code-modifier reports: a log line, a counter and a span event for each. */
export interface Events {
  checkDone(changeId: string, check: { name: string; passed: boolean; durationMs: number }): void
  changeProposed(changeId: string, intervention: string, summary: string): void
  changeRefused(changeId: string, intervention: string, reason: string): void
  changeCommitted(changeId: string, intervention: string, commit: string): void
  changePromoted(changeId: string, intervention: string, branch: string): void
  changeReverted(changeId: string, intervention: string, commit: string): void
  warrantRefused(changeId: string, reason: string): void
  proposalFailed(changeId: string, error: unknown): void
  leftoversRemoved(count: number): void
}

export function createEvents(log: Log, registry: Registry): Events {
  const changes = new Counter({
    name: 'nexus_changes_total',
    help: 'Changes by intervention and what became of them.',
    labelNames: ['intervention', 'outcome'],
    registers: [registry],
  })
  const warrants = new Counter({
    name: 'nexus_warrants_refused_total',
    help: 'Warrants that did not hold for what was asked.',
    registers: [registry],
  })
  const checks = new Histogram({
    name: 'nexus_check_seconds',
    help: 'Time of each gate that a change goes through.',
    labelNames: ['check', 'passed'],
    buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60],
    registers: [registry],
  })
  const happened = (event: string, outcome: string, intervention: string, fields: Record<string, string>) => {
    changes.inc({ intervention, outcome })
    log.info(event, { intervention, ...fields })
    trace.getActiveSpan()?.addEvent(event, fields)
  }
  return {
    checkDone: (change, { name, passed, durationMs }) => {
      checks.observe({ check: name, passed: String(passed) }, durationMs / 1000)
      log.info('check done', { change, check: name, passed, duration_ms: durationMs })
    },
    changeProposed: (change, intervention, summary) =>
      happened('change proposed', 'proposed', intervention, { change, summary }),
    changeRefused: (change, intervention, reason) =>
      happened('change refused', 'refused', intervention, { change, reason }),
    changeCommitted: (change, intervention, commit) =>
      happened('change committed', 'committed', intervention, { change, commit }),
    changePromoted: (change, intervention, branch) =>
      happened('change promoted', 'promoted', intervention, { change, branch }),
    changeReverted: (change, intervention, commit) =>
      happened('change reverted', 'reverted', intervention, { change, commit }),
    warrantRefused: (change, reason) => {
      warrants.inc()
      log.warn('warrant refused', { change, reason })
    },
    proposalFailed: (change, error) => log.error('proposal failed', { change, error }),
    leftoversRemoved: (count) => log.info('leftovers removed', { count }),
  }
}
