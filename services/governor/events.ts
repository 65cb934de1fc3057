import { trace } from '@opentelemetry/api'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Log } from '../platform/log.ts'
import type { Approval } from './approval.ts'
import type { Authorization } from './authorization.ts'
import type { BudgetReading } from './error-budget.ts'
import type { Objective } from './openslo.ts'

/** Everything that the governor reports: a log line, a counter and a span event for each. */
export interface Events {
  started(authority: { keyId: string; keyMade: boolean; policyDigest: string; policyFile: string }): void
  authorized(authorization: Authorization): void
  approvalAsked(approval: Approval): void
  approvalDecided(approval: Approval): void
  approvalExpired(approval: Approval): void
  slosApplied(target: string, objectives: readonly Objective[]): void
  budgetRead(target: string, objective: Objective, budget: BudgetReading): void
}

export function createEvents(log: Log, registry: Registry): Events {
  const metrics = createMetrics(registry)
  const note = (name: string, fields: Record<string, string>) => trace.getActiveSpan()?.addEvent(name, fields)
  const approval = (event: string, state: string, { id, evidence, decidedBy }: Approval) => {
    const fields = {
      approval_id: id,
      change_id: evidence.changeId,
      digest: evidence.digest,
      decided_by: decidedBy,
    }
    metrics.approvals.inc({ state })
    log.info(event, fields)
    note(event, fields)
  }
  return {
    started: ({ keyId, keyMade, policyDigest, policyFile }) => {
      log.info('governor_started', {
        key_id: keyId,
        key_made: keyMade,
        policy_digest: policyDigest,
        policy_file: policyFile,
      })
    },
    authorized: ({ id, evidence, outcome, reasons, policyDigest }) => {
      const fields = { authorization_id: id, change_id: evidence.changeId, digest: evidence.digest, outcome }
      metrics.authorizations.inc({ outcome })
      log.info('change_judged', { ...fields, target: evidence.target, reasons, policy_digest: policyDigest })
      note('change_judged', fields)
    },
    approvalAsked: (asked) => approval('approval_asked', 'asked', asked),
    approvalDecided: (decided) => approval('approval_decided', decided.state, decided),
    approvalExpired: (expired) => approval('approval_expired', 'expired', expired),
    slosApplied: (target, objectives) => {
      log.info('slos_applied', { target, slos: objectives.map(({ name }) => name) })
      note('slos_applied', { target })
    },
    budgetRead: (target, { name }, { remaining, burning, requests }) => {
      metrics.remaining.set({ target, slo: name }, remaining)
      metrics.burning.set({ target, slo: name }, burning ? 1 : 0)
      log.debug('error_budget_read', { target, slo: name, remaining, burning, requests })
    },
  }
}

function createMetrics(registry: Registry) {
  const registers = [registry]
  return {
    authorizations: new Counter({
      name: 'nexus_authorizations_total',
      help: 'Judgements on changes, by outcome: permitted, refused or awaiting.',
      labelNames: ['outcome'],
      registers,
    }),
    approvals: new Counter({
      name: 'nexus_approvals_total',
      help: 'What became of questions to a person, by state: asked, approved, denied or expired.',
      labelNames: ['state'],
      registers,
    }),
    remaining: new Gauge({
      name: 'nexus_error_budget_remaining',
      help: 'Share of the error budget that was left when it was last read: 1 untouched, 0 spent, negative overspent.',
      labelNames: ['target', 'slo'],
      registers,
    }),
    burning: new Gauge({
      name: 'nexus_error_budget_burning',
      help: 'Whether any pair of windows burned when the budget was last read.',
      labelNames: ['target', 'slo'],
      registers,
    }),
  }
}
