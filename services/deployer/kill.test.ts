import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, readlink } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, test } from 'node:test'
import { createClient } from '@connectrpc/connect'
import { DeployerService } from '../gen/nexus/deployer/v1/deployer_service_pb.ts'
import { DeploymentState } from '../gen/nexus/deployer/v1/deployment_pb.ts'
import { systemClock } from '../platform/clock.ts'
import { eventually, seededRandom } from '../platform/eventually.testing.ts'
import { createGrpcTransport } from '../platform/grpc/channel.ts'
import { openJournal } from '../platform/journal/open.ts'
import { type Bench, makeBench, proposeChange, untilEnded, untilReady } from './deployer.testing.ts'
import { shopFiles } from './shop.testing.ts'
import { startTraffic } from './traffic.testing.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function forkDeployer(bench: Bench) {
  const child: ChildProcess = fork(new URL('./deployer.process.testing.ts', import.meta.url), {
    env: bench.env,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const [port] = (await once(child, 'message')) as [number]
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}` })
  const kill = async () => {
    transport.close()
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  closers.push(kill)
  return { client: createClient(DeployerService, transport), kill }
}

/** Processes that run below the data folder: the versions. */
async function versionsRunning(bench: Bench): Promise<string[]> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const folders = await Promise.all(processes.map((id) => readlink(`/proc/${id}/cwd`).catch(() => '')))
  return folders.filter((folder) => folder.startsWith(bench.dataFolder))
}

const hasProc = process.platform === 'linux'

test('after kill -9 in the middle of a canary: no orphan, traffic on stable, and the deployment comes to its end', async (t) => {
  if (!hasProc) return t.skip('processes are looked for in /proc, which this system does not have')
  const bench = await makeBench()
  closers.push(() => bench.remove())
  const first = await forkDeployer(bench)
  await untilReady(first.client)
  const traffic = startTraffic(bench.port, 300)
  closers.push(traffic.stop)
  const change = await proposeChange(bench, { changeId: 'killed', files: shopFiles({ remark: 'better' }) })
  const { deployment } = await first.client.startDeployment(change.request)
  await eventually('canary traffic', async () => {
    const { deployment: now } = await first.client.getDeployment({ deploymentId: deployment!.id })
    return (now?.evidence[0]?.canaryCount ?? 0) > 0
  })
  assert.equal((await versionsRunning(bench)).length, 2)
  await first.kill()
  await eventually('both versions being gone', async () => (await versionsRunning(bench)).length === 0)

  const second = await forkDeployer(bench)
  await untilReady(second.client)
  const weights: number[] = []
  const ended = await untilEnded(second.client, deployment!.id, ({ weight }) => weights.push(weight))
  assert.equal(weights[0], 0)
  assert.equal(ended.state, DeploymentState.PROMOTED, ended.reason)
  await eventually('the old version being gone', async () => (await versionsRunning(bench)).length === 1)
  await eventually('its folder being gone', async () => {
    const left = await readdir(path.join(bench.dataFolder, 'versions', 'shop'))
    return left.length === 1 && left[0] === change.commit
  })
})

test('killed at ten moments with a seed, a deployment ends once and its journal verifies', async (t) => {
  if (!hasProc) return t.skip('processes are looked for in /proc, which this system does not have')
  const bench = await makeBench()
  closers.push(() => bench.remove())
  const traffic = startTraffic(bench.port, 300)
  closers.push(traffic.stop)
  const random = seededRandom(20_251)
  let started = await forkDeployer(bench)
  await untilReady(started.client)
  const change = await proposeChange(bench, { changeId: 'often', files: shopFiles({ remark: 'often' }) })
  for (let kill = 0; kill < 9; kill++) {
    await started.client.startDeployment(change.request).catch(() => undefined)
    await systemClock.sleep(50 + 1200 * random())
    await started.kill()
    started = await forkDeployer(bench)
    if (kill % 3 === 0) await untilReady(started.client)
  }
  await untilReady(started.client)
  const { deployment } = await started.client.startDeployment(change.request)
  const ended = await untilEnded(started.client, deployment!.id)
  const expected: number[] = [DeploymentState.PROMOTED, DeploymentState.FAILED]
  assert.ok(expected.includes(ended.state), ended.reason)
  await eventually('one version running', async () => (await versionsRunning(bench)).length === 1)
  await started.kill()
  const journal = await openJournal(bench.env.NEXUS_JOURNAL_URL!, { clock: systemClock })
  closers.push(() => journal.close())
  const types = (await journal.read(`deployment/${deployment!.id}`)).map((event) => event.type)
  assert.equal(types.filter((type) => type === 'begun').length, 1)
  assert.equal(types.filter((type) => type === 'ended').length, 1)
  assert.equal(types.at(-1), 'ended')
  await eventually('no version running', async () => (await versionsRunning(bench)).length === 0)
  assert.ok(await readFile(path.join(bench.originPath, 'main.js')))
})
