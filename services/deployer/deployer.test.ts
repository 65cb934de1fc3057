import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, test } from 'node:test'
import { DeploymentState, Verdict } from '../gen/nexus/deployer/v1/deployment_pb.ts'
import { eventually } from '../platform/eventually.testing.ts'
import {
  type Bench,
  makeBench,
  proposeChange,
  type RunningDeployer,
  startDeployer,
  untilEnded,
  untilReady,
} from './deployer.testing.ts'
import { shopFiles } from './shop.testing.ts'
import { startTraffic, type Traffic } from './traffic.testing.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function openShop(files = shopFiles()): Promise<{ bench: Bench; deployer: RunningDeployer }> {
  const bench = await makeBench(files)
  closers.push(() => bench.remove())
  const deployer = await startDeployer(bench.env)
  closers.push(() => deployer.close())
  await untilReady(deployer.client)
  return { bench, deployer }
}

function traffic(bench: Bench, callsPerSecond: number): Traffic {
  const running = startTraffic(bench.port, callsPerSecond)
  closers.push(() => running.stop())
  return running
}

test('a change that is as good is promoted step by step, and no call fails meanwhile', async () => {
  const { bench, deployer } = await openShop()
  const { statuses } = traffic(bench, 400)
  const change = await proposeChange(bench, { changeId: 'good', files: shopFiles({ remark: 'better' }) })
  const { deployment } = await deployer.client.startDeployment(change.request)
  assert.equal(deployment?.stableCommit, bench.baseCommit)
  const weights = new Set<number>()
  const ended = await untilEnded(deployer.client, deployment!.id, ({ weight }) => weights.add(weight))
  assert.equal(ended.state, DeploymentState.PROMOTED, ended.reason)
  assert.equal(ended.verdict, Verdict.NOT_WORSE)
  assert.deepEqual([...weights], [0, 30, 50, 100])
  assert.ok(
    ['errors', 'latency-p95', 'latency-p99'].every((name) =>
      ended.evidence.some((one) => one.name === name && one.shownNotWorse),
    ),
  )
  assert.match(ended.reason, /canary 0 of \d+ failed, stable 0 of \d+: .* is allowed/)
  assert.deepEqual([...new Set(ended.slots.map((slot) => slot.weight))], [30, 50, 100])
  assert.ok(ended.slots.every(({ canary }) => (canary?.requests ?? 0) > 0 && (canary?.p95Ms ?? 0) > 0))
  assert.ok(ended.trafficBeganAt)
  assert.deepEqual(
    ended.calibration?.burstiness.map(({ name }) => name),
    ['errors', 'refusals', 'latency-p50', 'latency-p95', 'latency-p99'],
  )
  const [target] = (await deployer.client.listTargets({})).targets
  assert.deepEqual([target?.stableCommit, target?.canaryCommit, target?.ready], [change.commit, '', true])
  await eventually('the old version being gone', async () => {
    const left = await readdir(path.join(bench.dataFolder, 'versions', 'shop'))
    return left.length === 1 && left[0] === change.commit
  })
  assert.deepEqual(Object.keys(statuses), ['0'])
  assert.match(await deployer.registry.metrics(), /nexus_deployments_total\{outcome="promoted"\} 1/)
})

test('a canary that answers with gRPC errors under HTTP 200 is aborted within seconds', async () => {
  const { bench, deployer } = await openShop()
  traffic(bench, 200)
  const files = shopFiles({ behaviour: 'failing' })
  const { request } = await proposeChange(bench, { changeId: 'bad', files })
  const { deployment } = await deployer.client.startDeployment(request)
  const ended = await untilEnded(deployer.client, deployment!.id)
  assert.equal(ended.state, DeploymentState.ABORTED, ended.reason)
  assert.equal(ended.verdict, Verdict.WORSE)
  assert.match(ended.reason, /canary \d+ of \d+ failed, stable 0 of \d+: (10\^)?[\d.]+ to 1 that it is worse/)
  assert.ok(ended.seconds <= 6, `${ended.seconds} s`)
  const [target] = (await deployer.client.listTargets({})).targets
  assert.deepEqual([target?.stableCommit, target?.canaryWeight], [bench.baseCommit, 0])
  assert.match(await deployer.registry.metrics(), /nexus_canary_weight\{target="shop"\} 0/)
})

test('a canary that breaks when it has all the traffic is aborted, and stable has it back', async () => {
  const rollout = 'steps: [{weight: 30, min_seconds: 1}], max_seconds: 60, watch_seconds: 30'
  const { bench, deployer } = await openShop(shopFiles({ rollout }))
  const { statuses } = traffic(bench, 300)
  // The watch compares with what stable did before.
  await eventually('some past', () => (statuses[0] ?? 0) > 300 * 12, 40_000)
  const files = shopFiles({ rollout, behaviour: 'overloaded' })
  const { request } = await proposeChange(bench, { changeId: 'full', files })
  const { deployment } = await deployer.client.startDeployment(request)
  const states = new Set<DeploymentState>()
  const ended = await untilEnded(deployer.client, deployment!.id, ({ state }) => states.add(state))
  assert.ok(states.has(DeploymentState.WATCHING))
  assert.equal(ended.state, DeploymentState.ABORTED, ended.reason)
  assert.match(ended.reason, /^with all the traffic \d+ of \d+ failed, where stable had at most/)
  assert.ok(ended.slots.some(({ weight, canary }) => weight === 100 && (canary?.errors ?? 0) > 0))
  const [target] = (await deployer.client.listTargets({})).targets
  assert.deepEqual([target?.stableCommit, target?.canaryWeight], [bench.baseCommit, 0])
})

test('a canary that refuses everything is aborted, though not found is no error', async () => {
  const { bench, deployer } = await openShop()
  traffic(bench, 200)
  const files = shopFiles({ behaviour: 'refusing' })
  const { request } = await proposeChange(bench, { changeId: 'refusing', files })
  const { deployment } = await deployer.client.startDeployment(request)
  const ended = await untilEnded(deployer.client, deployment!.id)
  assert.equal(ended.state, DeploymentState.ABORTED, ended.reason)
  assert.match(ended.reason, /refused/)
})

test('with the traffic cut a deployment ends as not enough evidence, on stable', async () => {
  const rollout = 'steps: [{weight: 50, min_seconds: 1}], max_seconds: 2'
  const { bench, deployer } = await openShop(shopFiles({ rollout }))
  const files = shopFiles({ rollout, remark: 'better' })
  const { request } = await proposeChange(bench, { changeId: 'unseen', files })
  const { deployment } = await deployer.client.startDeployment(request)
  const ended = await untilEnded(deployer.client, deployment!.id)
  assert.equal(ended.state, DeploymentState.INCONCLUSIVE)
  assert.equal(ended.verdict, Verdict.NOT_ENOUGH_EVIDENCE)
  assert.match(ended.reason, /not enough evidence in 2 s: no request reached the canary/)
  const [target] = (await deployer.client.listTargets({})).targets
  assert.equal(target?.stableCommit, bench.baseCommit)
})

test('a canary that does not start fails with the end of its output', async () => {
  const { bench, deployer } = await openShop()
  const files = shopFiles({ behaviour: 'not starting' })
  const { request } = await proposeChange(bench, { changeId: 'dead', files })
  const { deployment } = await deployer.client.startDeployment(request)
  const ended = await untilEnded(deployer.client, deployment!.id)
  assert.equal(ended.state, DeploymentState.FAILED)
  assert.match(
    ended.reason,
    /the canary does not start: node main.js .* ended with code 1: [\s\S]*the shelves are missing/,
  )
})

test('a canary that dies is aborted', async () => {
  const { bench, deployer } = await openShop()
  traffic(bench, 100)
  const { request } = await proposeChange(bench, {
    changeId: 'dying',
    files: shopFiles({ behaviour: 'dying' }),
  })
  const { deployment } = await deployer.client.startDeployment(request)
  const ended = await untilEnded(deployer.client, deployment!.id)
  assert.equal(ended.state, DeploymentState.ABORTED, ended.reason)
  assert.match(ended.reason, /the canary \(commit \w{10}\) ended with code 1: [\s\S]*out of stock/)
})

test('a version gets its manifest’s environment and nothing of the deployer’s own', async () => {
  const { bench } = await openShop()
  const output = path.join(bench.dataFolder, 'output', 'shop', `${bench.baseCommit.slice(0, 10)}.log`)
  const printed = await eventually('the greeting', () => readFile(output, 'utf8'))
  assert.equal(printed.trim(), 'the shop is open welcome GREETING,HOME,PATH,PORT')
})
