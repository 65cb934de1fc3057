import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Objective, ObjectiveState } from './gen/nexus/meta_controller/v1/objective_pb.ts'
import {
  createSystem,
  type Nexus,
  type System,
  type SystemOptions,
  untilServed,
  untilTargetReady,
} from './system.testing.ts'
import type { Traffic } from './walkthrough/traffic.ts'

/** The walk-through's outcome is not scripted: change the world, and NEXUS comes to another end. */

const timeout = 300_000
/** So many that an observation of 20 s, at 60 calls a second, has seen nothing but traffic. */
const enoughCalls = 1300
const observeSeconds = '20'

async function inWorld(
  t: TestContext,
  options: SystemOptions,
  play: (world: { system: System; nexus: Nexus; traffic: Traffic }) => Promise<void>,
): Promise<void> {
  const system = await createSystem({ ...options, env: { NEXUS_OBSERVE_SECONDS: observeSeconds } })
  t.after(system.close)
  const nexus = await system.start()
  t.after(() => nexus.end('SIGTERM'))
  await untilTargetReady(nexus)
  const traffic = system.startTraffic()
  t.after(traffic.stop)
  await untilServed(system, enoughCalls)
  await play({ system, nexus, traffic })
}

/** Watches an objective to its end; `onEvent` is told what its watcher is told. */
async function toTheEnd(
  nexus: Nexus,
  wish: object,
  onEvent: (message: string) => void = () => undefined,
): Promise<Objective> {
  const { objectiveId } = await nexus.mind.submitObjective(wish)
  for await (const { event } of nexus.mind.watchObjective({ objectiveId }, { timeoutMs: timeout }))
    onEvent(event?.message ?? '')
  const { objective } = await nexus.mind.getObjective({ objectiveId })
  assert.ok(objective)
  return objective
}

async function edit(copy: string, file: string, from: string, to: string): Promise<void> {
  const text = await readFile(path.join(copy, file), 'utf8')
  assert.ok(text.includes(from), `${file} holds ${from}`)
  await writeFile(path.join(copy, file), text.replace(from, to))
}

const caching = { goal: 'reduce_latency', intervention: 'enable_caching' }

test('with the mistake removed it declines, and says that there is nothing to improve', {
  timeout,
}, async (t) => {
  const withoutMistake = async (copy: string) => {
    const file = 'src/recommendations.ts'
    const whole = 'export function similarProducts('
    const kept = `const known = new Map<string, readonly Similar[]>()

export function similarProducts(sku: string, limit: number): readonly Similar[] {
  const key = \`\${limit} \${sku}\`
  const similar = known.get(key) ?? compare(sku, limit)
  known.set(key, similar)
  return similar
}

function compare(`
    await edit(copy, file, whole, kept)
    // The machine of a test is a noisy neighbour: what is tested is the decision, not the last millisecond.
    await edit(copy, 'nexus.yaml', 'le="10"', 'le="100"')
  }
  await inWorld(t, { edit: withoutMistake }, async ({ nexus }) => {
    const objective = await toTheEnd(nexus, caching)
    assert.equal(objective.state, ObjectiveState.DECLINED, objective.reason)
    assert.match(objective.reason, /nothing to improve: latency_p95 of storefront is/)
    assert.equal(objective.changeId, '')
  })
})

test('with traffic cut, the canary ends in "not enough evidence", and the change is reverted', {
  timeout,
}, async (t) => {
  const rollout =
    'rollout:\n  driver: local\n  steps:\n    - { weight: 20, min_seconds: 3 }\n  max_seconds: 12\n'
  await inWorld(t, { rollout }, async ({ nexus, traffic }) => {
    let cut: Promise<void> | undefined
    const objective = await toTheEnd(nexus, caching, (message) => {
      if (message.startsWith('commit ')) cut ??= traffic.stop()
    })
    await cut
    assert.equal(objective.state, ObjectiveState.INCONCLUSIVE, objective.reason)
    assert.match(objective.reason, /not enough evidence/)
    const { change } = await nexus.hands.getChange({ changeId: objective.changeId })
    assert.notEqual(change?.revertCommit, '')
    const [target] = (await nexus.feet.listTargets({})).targets
    assert.equal(target?.canaryWeight, 0)
    assert.equal(target?.stableCommit, change?.baseCommit)
  })
})

test('a canary that returns gRPC errors under HTTP 200 is aborted within seconds', { timeout }, async (t) => {
  const hasty = (copy: string) =>
    edit(copy, 'nexus.yaml', 'add_timeout: {}', 'add_timeout: { timeout_ms: 50 }')
  await inWorld(t, { edit: hasty }, async ({ nexus }) => {
    const objective = await toTheEnd(nexus, { goal: 'reduce_tail_latency', intervention: 'add_timeout' })
    assert.equal(objective.state, ObjectiveState.ABORTED, objective.reason)
    const { deployments } = await nexus.feet.listDeployments({})
    assert.ok((deployments[0]?.seconds ?? 99) < 30, `${deployments[0]?.seconds} s`)
    const errors = deployments[0]?.evidence.find((one) => one.name === 'errors')
    assert.ok((errors?.log10Worse ?? 0) >= (errors?.abortAt ?? 99), 'the errors are what decided')
    assert.equal((await nexus.feet.listTargets({})).targets[0]?.canaryWeight, 0)
  })
})
