import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { ChangeState } from '../gen/nexus/code_modifier/v1/change_pb.ts'
import { CodeModifierService } from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { DeployerService } from '../gen/nexus/deployer/v1/deployer_service_pb.ts'
import { DeploymentState } from '../gen/nexus/deployer/v1/deployment_pb.ts'
import { GovernorService } from '../gen/nexus/governor/v1/governor_service_pb.ts'
import { Indicator } from '../gen/nexus/governor/v1/slo_pb.ts'
import { Author, AuthorizationOutcome } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { KnowledgeRetrieverService } from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { type MountedService, mount } from '../platform/service.ts'
import { durationMetric, requestsMetric } from '../platform/signals/golden.ts'
import type { RawSeries, SignalSource } from '../platform/signals/signals.ts'
import { startTestServer } from '../platform/testing.ts'
import type { Peers } from './stage.ts'

/** How the world of a test behaves; the defaults lead to a promotion. */
export interface World {
  slowShare: number
  requestsPerSecond: number
  refusal: string
  authorization: AuthorizationOutcome
  deployment: DeploymentState
  /** The warrant that holds now. */
  envelope: string
  /** Effects that must not be repeated, each as `what:id`. A repeat of an idempotent call adds nothing. */
  readonly effects: Set<string>
  /** What the knowledge graph was told, by id. */
  readonly remembered: Map<string, { title: string; text: string; source: string }>
  /** Every call, in order. */
  readonly calls: string[]
  /** What the proposal of a change waits for. */
  proposing: Promise<void>
  /** Called before each peer call; a test throws from here to break one. */
  before: (call: string) => void
}

export function createWorld(change: Partial<World> = {}): World {
  return {
    slowShare: 0.3,
    requestsPerSecond: 80,
    refusal: '',
    authorization: AuthorizationOutcome.PERMITTED,
    deployment: DeploymentState.PROMOTED,
    envelope: 'signed',
    effects: new Set(),
    remembered: new Map(),
    calls: [],
    proposing: Promise.resolve(),
    before: () => undefined,
    ...change,
  }
}

const base = 'a'.repeat(40)
const commit = 'c'.repeat(40)
const slo = {
  name: 'p95',
  target: 'storefront',
  service: 'storefront',
  indicator: Indicator.LATENCY,
  objective: 0.95,
  thresholdMs: 10,
  windowS: 3600,
}

/** Calls that no test of the mind makes. */
const notMade = () => {
  throw new ConnectError('no test makes this call', Code.Unimplemented)
}

/** Serves peers that implement the contracts in memory and keep count of their effects. */
export async function startPeers(world: World): Promise<{ peers: Peers; close: () => Promise<void> }> {
  const called = (call: string) => {
    world.calls.push(call)
    world.before(call)
  }
  const { transport, close } = await startTestServer([
    codeModifier(world, called),
    governor(world, called),
    deployer(world, called),
    knowledge(world, called),
  ])
  const peers = {
    governor: createClient(GovernorService, transport),
    codeModifier: createClient(CodeModifierService, transport),
    deployer: createClient(DeployerService, transport),
    knowledge: createClient(KnowledgeRetrieverService, transport),
  }
  return { peers, close }
}

function refuseUnless(holds: boolean): void {
  if (!holds) throw new ConnectError('the warrant is refused: it expired', Code.PermissionDenied)
}

type Called = (call: string) => void

function codeModifier(world: World, called: Called): MountedService {
  return mount(CodeModifierService, {
    getChange: notMade,
    listChanges: notMade,
    listRecipes: notMade,
    inspectTarget: () => {
      called('inspectTarget')
      return {
        target: 'storefront',
        services: ['storefront'],
        branch: 'main',
        head: base,
        interventions: ['enable_caching', 'add_timeout'],
        rollout: '{"steps":[{"weight":10}]}',
      }
    },
    async *proposeChange({ objectiveId, turn, intervention }) {
      called('proposeChange')
      await world.proposing
      yield { event: { case: 'progress', value: { step: 'tests', detail: '14 passed' } } }
      yield { event: { case: 'change', value: changeOf(world, { objectiveId, turn, intervention }) } }
    },
    commitChange: ({ changeId, warrant }) => {
      called('commitChange')
      refuseUnless(warrant?.envelope === world.envelope)
      world.effects.add(`commit:${changeId}`)
      return { change: { id: changeId, commit, branch: `nexus/${changeId}` } }
    },
    promoteChange: ({ changeId, warrant }) => {
      called('promoteChange')
      refuseUnless(warrant?.envelope === world.envelope)
      world.effects.add(`promote:${changeId}`)
      return {}
    },
    revertChange: ({ changeId }) => {
      called('revertChange')
      world.effects.add(`revert:${changeId}`)
      return {}
    },
  })
}

function changeOf(world: World, asked: { objectiveId: string; turn: number; intervention: string }) {
  const { objectiveId, turn, intervention } = asked
  return {
    id: `c-${objectiveId}-${turn}`,
    objectiveId,
    target: 'storefront',
    intervention,
    baseCommit: base,
    tree: 'd'.repeat(40),
    digest: 'e'.repeat(64),
    branch: `nexus/c-${objectiveId}-${turn}`,
    author: Author.RECIPE,
    authorDetail: `${intervention}@1`,
    summary: 'caches similarProducts',
    paths: ['src/recommendations.ts'],
    linesAdded: 10,
    checks: [{ name: 'tests-after', passed: true }],
    sandboxTier: 'bubblewrap',
    state: world.refusal === '' ? ChangeState.PROPOSED : ChangeState.REFUSED,
    refusal: world.refusal,
  }
}

function governor(world: World, called: Called): MountedService {
  return mount(GovernorService, {
    listApprovals: notMade,
    decideApproval: notMade,
    getAuthority: notMade,
    applySlos: () => {
      called('applySlos')
      return {}
    },
    getErrorBudgets: () => {
      called('getErrorBudgets')
      return { budgets: [{ slo, burning: true }] }
    },
    authorize: () => {
      called('authorize')
      const reasons = ['as the test wants it']
      if (world.authorization === AuthorizationOutcome.AWAITING_APPROVAL)
        return { outcome: world.authorization, reasons, approval: { id: 'a-1' } }
      return { outcome: world.authorization, reasons, warrant: { envelope: world.envelope } }
    },
  })
}

function deployer(world: World, called: Called): MountedService {
  const deploymentOf = (changeId: string) => ({
    id: `d-${changeId}`,
    changeId,
    commit,
    state: world.deployment,
    reason: 'as the test wants it',
    seconds: 12,
  })
  const deployments = new Map<string, ReturnType<typeof deploymentOf>>()
  return mount(DeployerService, {
    getDeployment: notMade,
    retractDeployment: ({ deploymentId }) => {
      called('retractDeployment')
      world.effects.add(`retract:${deploymentId}`)
      return {}
    },
    listTargets: () => {
      called('listTargets')
      return { targets: [{ target: 'storefront', ready: true }] }
    },
    startDeployment: ({ changeId, warrant }) => {
      called('startDeployment')
      refuseUnless(warrant?.envelope === world.envelope)
      world.effects.add(`deploy:${changeId}`)
      deployments.set(changeId, deploymentOf(changeId))
      return { deployment: deploymentOf(changeId) }
    },
    async *watchDeployment({ deploymentId }) {
      called('watchDeployment')
      yield { deployment: deploymentOf(deploymentId.slice(2)) }
    },
    abortDeployment: ({ deploymentId }) => {
      called('abortDeployment')
      world.effects.add(`abort:${deploymentId}`)
      return {}
    },
    listDeployments: () => {
      called('listDeployments')
      return { deployments: [...deployments.values()] }
    },
  })
}

/** It finds whatever it was told last. */
function knowledge(world: World, called: Called): MountedService {
  return mount(KnowledgeRetrieverService, {
    ingestDocuments: notMade,
    streamDocuments: notMade,
    mergeNames: notMade,
    splitName: notMade,
    listMergedNames: notMade,
    deleteDocuments: notMade,
    getStatistics: notMade,
    retrieve: () => {
      called('retrieve')
      const told = [...world.remembered.values()].toReversed()
      const passages = told.map(({ title, text, source }) => ({ title, text, source, offset: 0 }))
      return { passages }
    },
    putDocuments: ({ documents }) => {
      called('putDocuments')
      for (const document of documents) world.remembered.set(document.id, document)
      return {}
    },
  })
}

/** Telemetry of a service with steady traffic, a scrape a second, of which `slowShare` takes between 10 and 100 ms. */
export function createSignals(world: World): SignalSource {
  const counter = (
    startMs: number,
    endMs: number,
    perSecond: number,
    labels: Record<string, string>,
  ): RawSeries => {
    const first = Math.ceil(startMs / 1000)
    const length = Math.max(0, Math.floor(endMs / 1000) - first + 1)
    const samples = Array.from({ length }, (_, index) => ({
      atMs: (first + index) * 1000,
      value: (first + index) * perSecond,
    }))
    return {
      labels: { instance: 'splitter:15090', job: 'nexus', destination_service_name: 'storefront', ...labels },
      samples,
    }
  }
  return {
    series: async ({ metric, startMs, endMs }) => {
      const { requestsPerSecond: rate, slowShare } = world
      if (metric === requestsMetric) return [counter(startMs, endMs, rate, { grpc_response_status: '0' })]
      if (metric !== durationMetric) return []
      const buckets: [string, number][] = [
        ['10', rate * (1 - slowShare)],
        ['100', rate],
        ['+Inf', rate],
      ]
      return buckets.map(([le, perSecond]) => counter(startMs, endMs, perSecond, { le }))
    },
    close: async () => undefined,
  }
}
