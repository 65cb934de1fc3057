import path from 'node:path'
import { type Client, createClient } from '@connectrpc/connect'
import type { StartedAll } from '../all.ts'
import type { Environment } from '../embedded.ts'
import { CodeModifierService } from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { DeployerService } from '../gen/nexus/deployer/v1/deployer_service_pb.ts'
import { Tier } from '../gen/nexus/execution_sandbox/v1/execution_pb.ts'
import { ExecutionSandboxService } from '../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { GovernorService } from '../gen/nexus/governor/v1/governor_service_pb.ts'
import { MetaControllerService } from '../gen/nexus/meta_controller/v1/meta_controller_service_pb.ts'
import { type Objective, ObjectiveState } from '../gen/nexus/meta_controller/v1/objective_pb.ts'
import { systemClock } from '../platform/clock.ts'
import { post } from './doors.ts'
import { showBranch } from './history.ts'
import type { Narrator } from './narrator.ts'
import { showObjective } from './show-objective.ts'

export interface PlayOptions {
  readonly env: Environment
  readonly narrator: Narrator
  readonly signal: AbortSignal
  /** Sends the storefront its customers, once it answers. */
  readonly beginTraffic: () => void
}

interface Scene extends PlayOptions {
  readonly rest: string
  readonly key: string
  readonly mind: Client<typeof MetaControllerService>
  readonly hands: Client<typeof CodeModifierService>
  readonly mirror: string
}

const readyWithinMs = 90_000
const burningWithinMs = 60_000
const pollMs = 500
const target = 'storefront'

/** Plays the whole; gives whether every stage came out as it should. */
export async function playThrough(started: StartedAll, options: PlayOptions): Promise<boolean> {
  const { narrator } = options
  const { transport } = started.served
  await showSandbox(createClient(ExecutionSandboxService, transport), narrator)
  await untilReady(createClient(DeployerService, transport), options)
  options.beginTraffic()
  const scene: Scene = {
    ...options,
    rest: `http://127.0.0.1:${started.restPort}`,
    key: await makeConsumer(`http://127.0.0.1:${started.adminPort}`, narrator),
    mind: createClient(MetaControllerService, transport),
    hands: createClient(CodeModifierService, transport),
    mirror: path.join(options.env.NEXUS_DATA ?? '', 'repositories', `${target}.git`),
  }
  await populate(scene)
  const burns = await untilBurning(createClient(GovernorService, transport), options)
  const promoted = await playPromotion(scene)
  const aborted = await playAbort(scene)
  await ask(scene)
  return burns && promoted && aborted
}

async function showSandbox(
  sandbox: Client<typeof ExecutionSandboxService>,
  narrator: Narrator,
): Promise<void> {
  const { tiers } = await sandbox.getCapabilities({})
  const best = tiers.find((tier) => tier.available)
  const name = best === undefined ? 'none' : tierNames[best.tier]
  narrator.tell(
    `sandbox: ${name} is the strongest tier here${best?.tier === Tier.HOST ? ', which isolates nothing: the demo allows it for the storefront’s own tests' : ''}`,
    { tier: name },
  )
}

const tierNames: Record<Tier, string> = {
  [Tier.UNSPECIFIED]: 'none',
  [Tier.HOST]: 'host',
  [Tier.UNSHARE]: 'unshare',
  [Tier.BUBBLEWRAP]: 'bubblewrap',
  [Tier.DOCKER]: 'docker',
}

async function untilReady(
  feet: Client<typeof DeployerService>,
  { narrator, signal }: PlayOptions,
): Promise<void> {
  const endMs = systemClock.monotonicMs() + readyWithinMs
  for (;;) {
    const { targets } = await feet.listTargets({})
    const status = targets.find((one) => one.target === target)
    if (status?.ready) {
      const { address, stableCommit } = status
      narrator.tell(
        `storefront ${stableCommit.slice(0, 10)} answers at ${address}; its customers make 80 calls a second`,
        {
          address,
        },
      )
      return
    }
    if (systemClock.monotonicMs() > endMs)
      throw new Error(`the storefront is not ready: ${status?.remark ?? 'it is not known'}`)
    await systemClock.sleep(pollMs, signal)
  }
}

async function makeConsumer(admin: string, narrator: Narrator): Promise<string> {
  await post(`${admin}/consumers/`, { username: 'walkthrough' })
  const { body } = await post(`${admin}/consumers/walkthrough/key-auth`, {})
  narrator.tell('made a consumer and an API key by the admin calls')
  return String(body.key)
}

const documents = [
  'The storefront is the product side of a web shop. It answers GetProduct, GetQuote, Recommend and CheckStock over gRPC.',
  'Recommendations compare the descriptions of products. The catalogue of the storefront changes with a release only.',
  'Weekly orders of the storefront have hundreds of lines. The supplier answers them in many pages, so they take long.',
]

async function populate({ rest, key, narrator }: Scene): Promise<void> {
  const { body } = await post(`${rest}/orchestrator/populate`, { documents }, { apikey: key })
  narrator.tell(`populated ${String(body.stored)} documents about the storefront`)
}

/** Waits until the objective of the first chapter has a reason: an SLO whose budget burns. */
async function untilBurning(
  law: Client<typeof GovernorService>,
  { narrator, signal }: PlayOptions,
): Promise<boolean> {
  const endMs = systemClock.monotonicMs() + burningWithinMs
  for (;;) {
    const { budgets } = await law.getErrorBudgets({ target }).catch(() => ({ budgets: [] }))
    const burning = budgets.find((budget) => budget.burning)
    if (burning?.slo !== undefined) {
      const rate = Math.max(...burning.burnRates.filter((one) => one.burning).map((one) => one.longRate))
      const kept = `${(burning.attained * 100).toFixed(1)} % of calls keep it, ${(burning.slo.objective * 100).toFixed(1)} % are promised`
      narrator.tell(`the SLO ${burning.slo.name} burns at ${rate.toFixed(1)} times its budget: ${kept}`, {
        slo: burning.slo.name,
        rate,
      })
      return true
    }
    if (systemClock.monotonicMs() > endMs) {
      narrator.check('an SLO of the storefront burns', false)
      return false
    }
    await systemClock.sleep(pollMs, signal)
  }
}

async function submit({ rest, key }: Scene, wish: object): Promise<string> {
  const { body } = await post(`${rest}/meta-controller/api/v1/objective`, wish, { apikey: key })
  return String(body.objective_id)
}

async function playPromotion(scene: Scene): Promise<boolean> {
  const { narrator, mind, hands } = scene
  narrator.chapter('Objective 1: reduce_latency')
  const wish = {
    goal: 'reduce_latency',
    target_metric: 'latency_p95',
    intervention: 'enable_caching',
    affected_metrics: ['error_rate', 'latency_p99'],
  }
  const objective = await showObjective(mind, await submit(scene, wish), narrator)
  await showDiff(hands, objective, narrator)
  const promoted = objective.state === ObjectiveState.PROMOTED
  narrator.check(`promoted: ${objective.reason}`, promoted)
  const { experience } = objective
  if (!promoted || experience === undefined) return false
  const { stableValue: before, canaryValue: after } = experience
  const percent = Math.round(experience.measured * 100)
  narrator.check(
    `p95 ${before.toFixed(1)} ms on stable, ${after.toFixed(1)} ms on the canary at the same time (${percent} %)`,
    after < before,
  )
  const onBranch = await showBranch(scene.mirror, 'main', narrator)
  const found = onBranch[0]?.commit === objective.commit
  narrator.check(
    `main of ${path.relative(process.cwd(), scene.mirror)} is at the signed commit ${objective.commit.slice(0, 10)}`,
    found,
  )
  return after < before && found
}

async function playAbort(scene: Scene): Promise<boolean> {
  const { narrator, mind, hands } = scene
  narrator.chapter('Objective 2: reduce_tail_latency, whose obvious fix passes every test')
  const wish = {
    goal: 'reduce_tail_latency',
    target_metric: 'latency_p99',
    intervention: 'add_timeout',
    affected_metrics: ['error_rate'],
  }
  const objective = await showObjective(mind, await submit(scene, wish), narrator)
  await showDiff(hands, objective, narrator)
  const aborted = objective.state === ObjectiveState.ABORTED
  narrator.check(`the canary found it worse: ${objective.reason}`, aborted)
  if (!aborted) return false
  const { change } = await hands.getChange({ changeId: objective.changeId })
  const reverted = change?.revertCommit !== undefined && change.revertCommit !== ''
  const onBranch = await showBranch(scene.mirror, change?.branch ?? '', narrator)
  narrator.check(
    `reverted on ${change?.branch} by ${change?.revertCommit.slice(0, 10)}`,
    reverted && onBranch[0]?.commit === change?.revertCommit,
  )
  const main = await showBranch(scene.mirror, 'main')
  const untouched = !main.some((entry) => entry.commit === objective.commit)
  narrator.check('main never had the change', untouched)
  return reverted && untouched
}

async function showDiff(
  hands: Client<typeof CodeModifierService>,
  objective: Objective,
  narrator: Narrator,
): Promise<void> {
  if (objective.changeId === '') return
  const { change } = await hands.getChange({ changeId: objective.changeId })
  if (change !== undefined && change.diff !== '') narrator.verbatim('the change', change.diff)
}

async function ask({ rest, key, narrator }: Scene): Promise<void> {
  narrator.chapter('What NEXUS remembers')
  const question = 'What became of add_timeout on storefront?'
  const { body } = await post(`${rest}/orchestrator/query`, { question }, { apikey: key })
  narrator.verbatim(question, String(body.answer))
}
