import { Code, ConnectError } from '@connectrpc/connect'
import { type ArmSummary, type Deployment, DeploymentState } from '../gen/nexus/deployer/v1/deployment_pb.ts'
import { withWarrant } from './authorize.ts'
import type { Ending, ObjectiveState } from './objective.ts'
import { withRetry } from './retry.ts'
import type { Stage, StageContext } from './stage.ts'

/** What the judge knew of one question at the end. */
export interface CanaryEvidence {
  readonly name: string
  readonly stableCount: number
  readonly canaryCount: number
  readonly stableValue: number
  readonly canaryValue: number
  readonly log10Worse: number
  readonly remark: string
}

/** How a deployment ended. */
export interface DeploymentResult {
  readonly id: string
  readonly ending: Extract<Ending, 'promoted' | 'aborted' | 'inconclusive' | 'failed'>
  readonly commit: string
  readonly reason: string
  readonly seconds: number
  readonly evidence: readonly CanaryEvidence[]
  readonly slots: readonly SlotSeen[]
}

/** What one version answered in a slot. */
export interface ArmSeen {
  readonly requests: number
  readonly errors: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

/** Both versions under the same traffic; see ComparedSlot in the contract. */
export interface SlotSeen {
  readonly startSeconds: number
  /** Percent of the traffic that went to the canary. */
  readonly weight: number
  readonly stable: ArmSeen
  readonly canary: ArmSeen
}

const startTimeoutMs = 60_000
const watchTimeoutMs = 24 * 3600 * 1000

const endingOf: Partial<Record<DeploymentState, DeploymentResult['ending']>> = {
  [DeploymentState.PROMOTED]: 'promoted',
  [DeploymentState.ABORTED]: 'aborted',
  [DeploymentState.RETRACTED]: 'aborted',
  [DeploymentState.INCONCLUSIVE]: 'inconclusive',
  [DeploymentState.FAILED]: 'failed',
}

/** Has deployer try the commit under real traffic, and watches it to its end. */
export const deploy: Stage<DeploymentResult> = async (state, context) => {
  const id = await start(state, context)
  const deployment = await withRetry(() => watch(id, context), context)
  const result = resultOf(deployment)
  return { result, message: `${result.ending} after ${Math.round(result.seconds)} s: ${result.reason}` }
}

async function start(state: ObjectiveState, context: StageContext): Promise<string> {
  const request = {
    changeId: state.results.propose!.id,
    objectiveId: state.id,
    target: state.wish.target,
    commit: state.results.commit!.commit,
  }
  const options = { signal: context.signal, timeoutMs: startTimeoutMs }
  const { deployment } = await withWarrant(state, context, (warrant) =>
    context.peers.deployer.startDeployment({ ...request, warrant }, options),
  )
  return deployment?.id ?? ''
}

async function watch(deploymentId: string, context: StageContext): Promise<Deployment> {
  const options = { signal: context.signal, timeoutMs: watchTimeoutMs }
  for await (const { deployment } of context.peers.deployer.watchDeployment({ deploymentId }, options)) {
    if (deployment === undefined) continue
    if (endingOf[deployment.state] !== undefined) return deployment
    context.report(lineOf(deployment), {
      weight: deployment.weight,
      evidence: deployment.evidence.map(evidenceOf),
    })
  }
  // The stream ended early: the deployer is restarting; what it has journalled tells how it goes on.
  throw new ConnectError('the deployer stopped sending before the deployment had ended', Code.Unavailable)
}

/** The evidence that people follow live; the whole is in the details. */
const followed = new Set(['errors', 'latency-p95'])

function lineOf(deployment: Deployment): string {
  if (deployment.state === DeploymentState.STARTING) return 'starting the canary'
  if (deployment.state === DeploymentState.WATCHING)
    return `watching it with all the traffic, ${Math.round(deployment.seconds)} s`
  const known = deployment.evidence.filter((one) => followed.has(one.name) && one.canaryCount > 0)
  const remarks = known.map((one) => one.remark).join('; ') || 'no evidence yet'
  return `canary at ${deployment.weight} %, ${Math.round(deployment.seconds)} s: ${remarks}`
}

function resultOf(deployment: Deployment): DeploymentResult {
  return {
    id: deployment.id,
    ending: endingOf[deployment.state] ?? 'failed',
    commit: deployment.commit,
    reason: deployment.reason,
    seconds: deployment.seconds,
    evidence: deployment.evidence.map(evidenceOf),
    slots: deployment.slots.map(({ startSeconds, weight, stable, canary }) => ({
      startSeconds,
      weight,
      stable: armOf(stable),
      canary: armOf(canary),
    })),
  }
}

function armOf(arm: ArmSummary | undefined): ArmSeen {
  const { requests = 0, errors = 0, p50Ms = 0, p95Ms = 0, p99Ms = 0 } = arm ?? {}
  return { requests, errors, p50Ms, p95Ms, p99Ms }
}

function evidenceOf(one: Deployment['evidence'][number]): CanaryEvidence {
  const { name, stableCount, canaryCount, stableValue, canaryValue, log10Worse, remark } = one
  return { name, stableCount, canaryCount, stableValue, canaryValue, log10Worse, remark }
}
