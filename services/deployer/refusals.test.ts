import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { afterEach, test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import { DeploymentState } from '../gen/nexus/deployer/v1/deployment_pb.ts'
import { eventually } from '../platform/eventually.testing.ts'
import { commitFiles } from '../platform/target/origin.testing.ts'
import { forgeries } from '../platform/warrant/forgeries.testing.ts'
import {
  type Bench,
  evidenceOf,
  makeBench,
  proposeChange,
  startDeployer,
  untilEnded,
  untilReady,
} from './deployer.testing.ts'
import { shopFiles } from './shop.testing.ts'
import { startTraffic } from './traffic.testing.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function openBench(files = shopFiles()): Promise<Bench> {
  const bench = await makeBench(files)
  closers.push(() => bench.remove())
  return bench
}

async function openDeployer(bench: Bench, env = bench.env) {
  const deployer = await startDeployer(env)
  closers.push(() => deployer.close())
  return deployer.client
}

const refusedAs = (code: Code, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConnectError)
  assert.equal(Code[error.code], Code[code])
  assert.match(error.rawMessage, message)
  return true
}

test('no forged warrant deploys anything', async () => {
  const bench = await openBench()
  const client = await openDeployer(bench)
  await untilReady(client)
  const change = await proposeChange(bench, { changeId: 'forged', files: shopFiles({ remark: 'forged' }) })
  const otherKey = generateKeyPairSync('ed25519').privateKey
  const kit = { key: bench.key, otherKey, evidence: evidenceOf(change), nowMs: Date.now() }
  for (const forgery of forgeries) {
    const request = { ...change.request, warrant: { envelope: forgery.envelope(kit) } }
    await assert.rejects(client.startDeployment(request), (error: ConnectError) => {
      // An envelope above the contract's bound does not even come to the verifier.
      const isTooLong = error.code === Code.InvalidArgument && request.warrant.envelope.length > 262_144
      assert.ok(isTooLong || error.code === Code.PermissionDenied, `${forgery.name}: ${error.message}`)
      if (!isTooLong) assert.match(error.rawMessage, forgery.reason, forgery.name)
      return true
    })
  }
  const { warrant: _, ...without } = change.request
  await assert.rejects(client.startDeployment(without), refusedAs(Code.PermissionDenied, /there is none/))
  assert.deepEqual((await client.listDeployments({})).deployments, [])
})

test('a warrant that permits to commit only, or is for another commit of the change, deploys nothing', async () => {
  const bench = await openBench()
  const client = await openDeployer(bench)
  await untilReady(client)
  const first = await proposeChange(bench, { changeId: 'one', files: shopFiles({ remark: 'first' }) })
  const second = await proposeChange(bench, { changeId: 'one', files: shopFiles({ remark: 'second' }) })
  await assert.rejects(
    client.startDeployment({ ...second.request, warrant: first.request.warrant }),
    refusedAs(Code.PermissionDenied, /for tree/),
  )
})

test('one deployment of a target at a time; the same call again gives the same deployment', async () => {
  const bench = await openBench()
  const client = await openDeployer(bench)
  await untilReady(client)
  const first = await proposeChange(bench, { changeId: 'first', files: shopFiles({ remark: 'first' }) })
  const second = await proposeChange(bench, { changeId: 'second', files: shopFiles({ remark: 'second' }) })
  const [one, again] = await Promise.all([
    client.startDeployment(first.request),
    client.startDeployment(first.request),
  ])
  assert.equal(one.deployment?.id, again.deployment?.id)
  const { id } = one.deployment!
  await assert.rejects(
    client.startDeployment(second.request),
    refusedAs(Code.FailedPrecondition, new RegExp(`deployment ${id} of shop is under way`)),
  )
  const { deployment: aborted } = await client.abortDeployment({ deploymentId: id, reason: 'lunch' })
  assert.equal(aborted?.state, DeploymentState.ABORTED)
  assert.equal(aborted?.reason, 'aborted on request: lunch')
  assert.equal((await client.startDeployment(first.request)).deployment?.state, DeploymentState.ABORTED)
  assert.equal((await client.abortDeployment({ deploymentId: id })).deployment?.reason, aborted?.reason)
  const next = await eventually('the canary being gone', () =>
    client.startDeployment(second.request).catch(() => undefined),
  )
  assert.deepEqual(
    (await client.listDeployments({})).deployments.map((deployment) => deployment.changeId),
    ['second', 'first'],
  )
  await client.abortDeployment({ deploymentId: next.deployment!.id })
})

test('what is not there is said to be not there', async () => {
  const bench = await openBench()
  const client = await openDeployer(bench)
  await untilReady(client)
  const { request } = await proposeChange(bench, { changeId: 'a', files: shopFiles({ remark: 'a' }) })
  await assert.rejects(
    client.startDeployment({ ...request, target: 'other' }),
    refusedAs(Code.NotFound, /target other is not one of shop/),
  )
  await assert.rejects(
    client.startDeployment({ ...request, commit: 'e'.repeat(40) }),
    refusedAs(Code.FailedPrecondition, /does not have the commit/),
  )
  await assert.rejects(
    client.getDeployment({ deploymentId: 'none' }),
    refusedAs(Code.NotFound, /no deployment none/),
  )
  await assert.rejects(untilEnded(client, 'none'), refusedAs(Code.NotFound, /no deployment none/))
})

test('a commit that is not made on stable is not compared with it', async () => {
  const bench = await openBench()
  const client = await openDeployer(bench)
  await untilReady(client)
  const files = shopFiles({ remark: 'unrelated' })
  const root = await proposeChange(bench, { changeId: 'root', files })
  const apart = await proposeChange(bench, { changeId: 'apart', files, baseCommit: root.commit })
  // A descendant of stable by two is tried as a whole.
  const { deployment } = await client.startDeployment(apart.request)
  await client.abortDeployment({ deploymentId: deployment!.id })
  await assert.rejects(
    client.startDeployment({ ...root.request, commit: bench.baseCommit }),
    refusedAs(Code.PermissionDenied, /has 0 parents/),
  )
})

test('a port that is taken is named with its setting, the service stays up, and the target comes when it is free', async () => {
  const bench = await openBench()
  const other = createServer()
  other.listen(bench.port, '127.0.0.1')
  await once(other, 'listening')
  const client = await openDeployer(bench)
  const target = await eventually('the remark', async () => {
    const [status] = (await client.listTargets({})).targets
    return status?.remark.includes('port') ? status : undefined
  })
  assert.equal(target.ready, false)
  assert.match(
    target.remark,
    new RegExp(`port ${bench.port} .* in use by another process: free it, or set NEXUS_LOCAL_PORT`),
  )
  const { request } = await proposeChange(bench, { changeId: 'early', files: shopFiles({ remark: 'early' }) })
  await assert.rejects(
    client.startDeployment(request),
    refusedAs(Code.FailedPrecondition, /target shop is not ready: port/),
  )
  other.close()
  await untilReady(client)
})

const bad: readonly [string, (bench: Bench) => Promise<unknown>, RegExp][] = [
  [
    'has no repository',
    ({ originPath }) => rm(path.join(originPath, '.git'), { recursive: true }),
    /repository/,
  ],
  ['is not there', ({ originPath }) => rename(originPath, `${originPath}-moved`), /shop/],
  [
    'has uncommitted changes',
    ({ originPath }) => writeFile(path.join(originPath, 'main.js'), '// half'),
    /uncommitted changes \(main\.js\)/,
  ],
  [
    'has a malformed nexus.yaml',
    ({ originPath }) => commitFiles(originPath, { 'nexus.yaml': 'name: shop\nservices: no' }, 'Break'),
    /nexus\.yaml: services/,
  ],
  [
    'does not start',
    ({ originPath }) => commitFiles(originPath, shopFiles({ behaviour: 'not starting' }), 'Break'),
    /ended with code 1: [\s\S]*the shelves are missing/,
  ],
]
for (const [what, spoil, remark] of bad) {
  test(`a target that ${what} is reported as not ready and why, and the service stays up`, async () => {
    const bench = await openBench()
    await spoil(bench)
    const client = await openDeployer(bench)
    const status = await eventually('the remark', async () => {
      const [target] = (await client.listTargets({})).targets
      return target?.remark === 'it is being started' ? undefined : target
    })
    assert.equal(status.ready, false)
    assert.match(status.remark, remark)
  })
}

test('stable runs again as it was when the user is in the middle of an edit', async () => {
  const bench = await openBench()
  const first = await startDeployer(bench.env)
  await untilReady(first.client)
  await first.close()
  await writeFile(path.join(bench.originPath, 'main.js'), '// half')
  const client = await openDeployer(bench)
  await untilReady(client)
  const [target] = (await client.listTargets({})).targets
  assert.equal(target?.stableCommit, bench.baseCommit)
  assert.match(target?.remark ?? '', /runs as it was before: .* uncommitted changes/)
})

test('a branch that has gone on is what runs after the next start', async () => {
  const bench = await openBench()
  const first = await startDeployer(bench.env)
  await untilReady(first.client)
  await first.close()
  const head = await commitFiles(bench.originPath, shopFiles({ remark: 'by hand' }), 'Go on')
  const client = await openDeployer(bench)
  await untilReady(client)
  assert.equal((await client.listTargets({})).targets[0]?.stableCommit, head)
})

test('a stable version that dies is started again', async () => {
  const bench = await openBench(shopFiles({ behaviour: 'dying' }))
  const client = await openDeployer(bench)
  await untilReady(client)
  const { stop, statuses } = startTraffic(bench.port, 200)
  closers.push(stop)
  await eventually('the death', () => (statuses[14] ?? 0) > 0)
  const before = statuses[0] ?? 0
  await eventually('calls being answered again', () => (statuses[0] ?? 0) > before + 50)
})

test('a splitter that dies is started again on the same port', async (t) => {
  if (process.platform !== 'linux') return t.skip('processes are looked for in /proc')
  const bench = await openBench()
  const client = await openDeployer(bench)
  await untilReady(client)
  const { stop, statuses } = startTraffic(bench.port, 100)
  closers.push(stop)
  await eventually('calls being answered', () => (statuses[0] ?? 0) > 10)
  process.kill(await splitterOf(bench), 'SIGKILL')
  await eventually('the failure being seen', () => (statuses[14] ?? 0) > 0)
  const before = statuses[0] ?? 0
  await eventually('calls being answered again', () => (statuses[0] ?? 0) > before + 20)
  await untilReady(client)
})

async function splitterOf(bench: Bench): Promise<number> {
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')
    if (command.includes('splitter/main.ts') && command.includes(`:${bench.port},`)) return Number(id)
  }
  throw new Error('there is no splitter')
}

test('a deployer with no public key refuses to start and says who writes it', async () => {
  const bench = await openBench()
  const env = { ...bench.env, NEXUS_WARRANT_PUBLIC_KEY_FILE: path.join(bench.folder, 'none.pub') }
  await assert.rejects(
    startDeployer(env),
    /public key .*none\.pub cannot be read .* start the governor first/,
  )
})

test('a promotion that git did not take is taken back once, and what was not promoted is not', async () => {
  const bench = await openBench()
  const client = await openDeployer(bench)
  await untilReady(client)
  const { stop } = startTraffic(bench.port, 400)
  closers.push(stop)
  const change = await proposeChange(bench, { changeId: 'refused', files: shopFiles({ remark: 'refused' }) })
  const { deployment } = await client.startDeployment(change.request)
  const { id: deploymentId } = deployment!
  await assert.rejects(
    client.retractDeployment({ deploymentId }),
    refusedAs(Code.FailedPrecondition, /not promoted/),
  )
  assert.equal((await untilEnded(client, deploymentId)).state, DeploymentState.PROMOTED)
  const retract = () =>
    client.retractDeployment({ deploymentId, reason: 'the branch has moved on' }).catch(() => undefined)
  const answer = await eventually('the retraction', retract, 20_000)
  assert.equal(answer.deployment?.state, DeploymentState.RETRACTED)
  assert.equal(answer.deployment?.reason, 'taken back: the branch has moved on')
  assert.equal(
    (await client.retractDeployment({ deploymentId })).deployment?.reason,
    answer.deployment?.reason,
  )
  const [target] = (await client.listTargets({})).targets
  assert.equal(target?.stableCommit, bench.baseCommit)
  await assert.rejects(client.retractDeployment({ deploymentId: 'none' }), refusedAs(Code.NotFound, /none/))
})
