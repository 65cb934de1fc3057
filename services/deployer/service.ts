import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect'
import type { DeployerService, ListTargetsResponse } from '../gen/nexus/deployer/v1/deployer_service_pb.ts'
import {
  type Deployment as DeploymentMessage,
  DeploymentSchema,
  DeploymentState,
  type EvidenceSchema,
  TargetStatusSchema,
  Verdict,
} from '../gen/nexus/deployer/v1/deployment_pb.ts'
import { JournalUnavailableError } from '../platform/journal/journal.ts'
import { ManifestError } from '../platform/target/manifest.ts'
import { TargetError } from '../platform/target/target-error.ts'
import type { Deployment } from './deployment.ts'
import { type Deployments, orNotFound } from './deployments.ts'
import type { Finding } from './judge/finding.ts'
import { type LocalTarget, NotReadyError } from './local/target.ts'
import { VersionError } from './local/version.ts'

const defaultPageSize = 50

/** The RPCs: each unpacks, calls and packs. */
export function createDeployerService(options: {
  deployments: Deployments
  targets: ReadonlyMap<string, LocalTarget>
}): ServiceImpl<typeof DeployerService> {
  const { deployments, targets } = options
  return {
    startDeployment: (request) =>
      coded(async () => {
        const { changeId, objectiveId, target, commit, warrant } = request
        const envelope = warrant?.envelope ?? ''
        const begun = await deployments.start({ changeId, objectiveId, target, commit, envelope })
        return { deployment: pack(begun) }
      }),
    async *watchDeployment({ deploymentId }, { signal }) {
      for await (const deployment of deployments.watch(deploymentId, signal)) {
        yield { deployment: pack(deployment) }
      }
    },
    abortDeployment: ({ deploymentId, reason }, { signal }) =>
      coded(async () => ({ deployment: pack(await deployments.abort(deploymentId, reason, signal)) })),
    retractDeployment: ({ deploymentId, reason }) =>
      coded(async () => ({ deployment: pack(await deployments.retract(deploymentId, reason)) })),
    getDeployment: ({ deploymentId }) =>
      coded(async () => ({
        deployment: pack(orNotFound(await deployments.get(deploymentId), deploymentId)),
      })),
    listDeployments: async ({ pageSize }) => ({
      deployments: deployments.list(pageSize || defaultPageSize).map(pack),
    }),
    listTargets: async () => ({ targets: await Promise.all([...targets.values()].map(packTarget)) }),
  }
}

/** Gives the errors that are to be expected their codes. */
async function coded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const isUnready = [NotReadyError, TargetError, ManifestError, VersionError].some(
      (kind) => error instanceof kind,
    )
    if (isUnready)
      throw new ConnectError((error as Error).message, Code.FailedPrecondition, undefined, undefined, error)
    if (error instanceof JournalUnavailableError) {
      throw new ConnectError('the journal cannot be reached', Code.Unavailable, undefined, undefined, error)
    }
    throw error
  }
}

const states: Readonly<Record<Deployment['state'], DeploymentState>> = {
  starting: DeploymentState.STARTING,
  progressing: DeploymentState.PROGRESSING,
  watching: DeploymentState.WATCHING,
  promoted: DeploymentState.PROMOTED,
  aborted: DeploymentState.ABORTED,
  inconclusive: DeploymentState.INCONCLUSIVE,
  failed: DeploymentState.FAILED,
  retracted: DeploymentState.RETRACTED,
}

const verdicts: Readonly<Record<Deployment['verdict'], Verdict>> = {
  worse: Verdict.WORSE,
  'not worse': Verdict.NOT_WORSE,
  'not enough evidence': Verdict.NOT_ENOUGH_EVIDENCE,
}

function pack(deployment: Deployment): DeploymentMessage {
  const { state, verdict, findings, steps, createdAtMs, endedAtMs, trafficBeganAtMs, calibration, slots } =
    deployment
  const { id, changeId, objectiveId, target, commit, stableCommit, step, weight, reason, seconds } =
    deployment
  return create(DeploymentSchema, {
    ...{ id, changeId, objectiveId, target, commit, stableCommit, step, weight, reason, seconds },
    state: states[state],
    verdict: verdicts[verdict],
    steps: steps.map((step) => ({ weight: step.weight, minSeconds: Math.round(step.minSeconds) })),
    evidence: findings.map(packFinding),
    slots: [...slots],
    calibration: calibration && { ...calibration, burstiness: [...calibration.burstiness] },
    trafficBeganAt: trafficBeganAtMs === undefined ? undefined : timestampFromMs(trafficBeganAtMs),
    createdAt: timestampFromMs(createdAtMs),
    endedAt: endedAtMs === undefined ? undefined : timestampFromMs(endedAtMs),
  })
}

function packFinding(finding: Finding): MessageInitShape<typeof EvidenceSchema> {
  const { isShownWorse: _, isShownNotWorse, slices, ...rest } = finding
  return {
    ...rest,
    shownNotWorse: isShownNotWorse,
    slices: slices.map(({ isListed, ...slice }) => ({ ...slice, listed: isListed })),
  }
}

async function packTarget(target: LocalTarget): Promise<ListTargetsResponse['targets'][number]> {
  const { canaryPercent, isReady, ...status } = await target.status()
  return create(TargetStatusSchema, {
    ...status,
    target: target.name,
    address: target.address,
    canaryWeight: canaryPercent,
    ready: isReady,
  })
}
