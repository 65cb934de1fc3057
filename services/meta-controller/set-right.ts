import { Code, ConnectError } from '@connectrpc/connect'
import { type Deployment, DeploymentState } from '../gen/nexus/deployer/v1/deployment_pb.ts'
import type { ObjectiveState } from './objective.ts'
import { withRetry } from './retry.ts'
import type { StageContext } from './stage.ts'

const timeoutMs = 60_000
const maxReasonLength = 2000

/**
 * Puts back what an objective that ends early has under way: traffic first, then git. Idempotent. Gives a sentence for
 * each thing that could not be put back, so that a person knows; an objective that had changed nothing gives none.
 */
export async function setRight(
  state: ObjectiveState,
  reason: string,
  context: Pick<StageContext, 'peers' | 'clock' | 'signal' | 'report'>,
): Promise<string[]> {
  const { peers, signal } = context
  const problems: string[] = []
  const attempt = async (what: string, call: () => Promise<unknown>) => {
    try {
      await withRetry(call, context)
      context.report(what)
    } catch (error) {
      signal.throwIfAborted()
      if (ConnectError.from(error).code === Code.NotFound) return
      problems.push(`${what} failed: ${ConnectError.from(error).rawMessage}`)
    }
  }
  const short = reason.slice(0, maxReasonLength)
  const changeId = state.results.propose?.id
  if (changeId === undefined || state.results.authorize === undefined) return problems
  const deployments = await deploymentsOf(changeId, context).catch((error) => {
    signal.throwIfAborted()
    problems.push(`the deployments could not be looked for: ${ConnectError.from(error).rawMessage}`)
    return []
  })
  for (const { id: deploymentId, state: deployed } of deployments) {
    const putBack = { deploymentId, reason: short }
    // What has won its canary has all the traffic; git did not take it, so the version before has to come back.
    const isPromoted = deployed === DeploymentState.PROMOTED
    await attempt('traffic is back on stable', () =>
      isPromoted
        ? peers.deployer.retractDeployment(putBack, { signal, timeoutMs })
        : peers.deployer.abortDeployment(putBack, { signal, timeoutMs }),
    )
  }
  if (state.wish.autonomy === 'propose') return problems
  await attempt('the change is reverted', () =>
    peers.codeModifier.revertChange({ changeId, reason: short }, { signal, timeoutMs }),
  )
  return problems
}

/** The deployments of a change, also one that was started just before a crash and that the journal does not know. */
async function deploymentsOf(
  changeId: string,
  context: Pick<StageContext, 'peers' | 'clock' | 'signal'>,
): Promise<Pick<Deployment, 'id' | 'state'>[]> {
  const { peers, signal } = context
  const list = () => peers.deployer.listDeployments({ pageSize: 250 }, { signal, timeoutMs })
  const { deployments } = await withRetry(list, context)
  return deployments.filter((one) => one.changeId === changeId)
}
