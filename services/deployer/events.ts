import { Counter, Gauge, type Registry } from 'prom-client'
import type { Log } from '../platform/log.ts'
import type { Deployment } from './deployment.ts'

/** What happens in the deployer: one function each, so that log and metrics cannot drift apart. */
export interface DeployerEvents {
  targetReady(target: string, commit: string): void
  targetNotReady(target: string, error: unknown): void
  stableDied(target: string, commit: string, how: string): void
  splitterDied(target: string): void
  weightSet(target: string, percent: number): void
  deploymentBegan(deployment: Deployment): void
  deploymentEnded(deployment: Deployment): void
  deploymentRetracted(deployment: Deployment): void
  deploymentResumed(deployment: Deployment): void
  deploymentInterrupted(deployment: Deployment, error: unknown): void
  warrantRefused(changeId: string, reason: string): void
  journalWarned(message: string): void
  journalAway(stream: string, error: unknown): void
}

/** Registers the counters and gives the functions. */
export function createEvents(log: Log, registry: Registry): DeployerEvents {
  const deployments = new Counter({
    name: 'nexus_deployments_total',
    help: 'Deployments that have ended, by outcome.',
    labelNames: ['outcome'],
    registers: [registry],
  })
  const weight = new Gauge({
    name: 'nexus_canary_weight',
    help: 'Share of the traffic that goes to the canary, in percent.',
    labelNames: ['target'],
    registers: [registry],
  })
  const refused = new Counter({
    name: 'nexus_deployments_refused_total',
    help: 'Deployments that were refused for want of a valid warrant.',
    registers: [registry],
  })
  return {
    ...deploymentEvents(log, deployments),
    targetReady: (target, commit) => log.info('target ready', { target, commit }),
    targetNotReady: (target, error) => log.warn('target not ready', { target, error }),
    stableDied: (target, commit, how) => log.warn('stable died', { target, commit, how }),
    splitterDied: (target) => log.warn('splitter died', { target }),
    weightSet: (target, percent) => {
      weight.set({ target }, percent)
      log.info('canary weight set', { target, percent })
    },
    warrantRefused: (changeId, reason) => {
      refused.inc()
      log.warn('warrant refused', { change_id: changeId, reason })
    },
    journalWarned: (message) => log.warn('journal may forget', { message }),
    journalAway: (stream, error) => log.warn('journal away', { stream, error }),
  }
}

function deploymentEvents(log: Log, deployments: Counter<'outcome'>) {
  const fields = ({ id, changeId, target, commit }: Deployment) => ({
    deployment: id,
    change_id: changeId,
    target,
    commit,
  })
  return {
    deploymentBegan: (deployment: Deployment) => log.info('deployment began', fields(deployment)),
    deploymentResumed: (deployment: Deployment) => log.info('deployment resumed', fields(deployment)),
    deploymentInterrupted: (deployment: Deployment, error: unknown) =>
      log.info('deployment interrupted', { ...fields(deployment), error }),
    deploymentRetracted: (deployment: Deployment) => {
      deployments.inc({ outcome: deployment.state })
      log.info('deployment retracted', { ...fields(deployment), reason: deployment.reason })
    },
    deploymentEnded: (deployment: Deployment) => {
      deployments.inc({ outcome: deployment.state })
      const { state, reason, seconds } = deployment
      log.info('deployment ended', { ...fields(deployment), state, reason, seconds })
    },
  }
}
