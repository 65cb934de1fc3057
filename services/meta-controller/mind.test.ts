import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import { DeploymentState } from '../gen/nexus/deployer/v1/deployment_pb.ts'
import { AuthorizationOutcome } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { ObjectiveState as StateCode } from '../gen/nexus/meta_controller/v1/objective_pb.ts'
import { systemClock } from '../platform/clock.ts'
import { verifyExport } from '../platform/journal/export.ts'
import { impatientClock, serve, toTheEnd } from './mind.testing.ts'
import { createWorld } from './peers.fixture.ts'
import { createProver } from './proof/prover.ts'

test('an objective goes through all stages to a promotion, and its watcher sees each', async (t) => {
  const watched = Promise.withResolvers<void>()
  const world = createWorld({ proposing: watched.promise })
  const { client, registry } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { seen, objective } = await toTheEnd(client, objectiveId, watched.resolve)
  assert.equal(objective.state, StateCode.PROMOTED, objective.reason)
  assert.equal(objective.targetMetric, 'latency_p95')
  assert.equal(seen.filter((event) => event.type === 'stage_done').length, 8)
  assert.ok(seen.some((event) => event.type === 'progress' && event.message === 'tests: 14 passed'))
  assert.deepEqual(
    [...world.effects],
    [`commit:c-${objectiveId}-1`, `deploy:c-${objectiveId}-1`, `promote:c-${objectiveId}-1`],
  )
  const counted = await registry.getSingleMetricAsString('nexus_decisions_total')
  assert.match(
    counted,
    /nexus_decisions_total\{goal="reduce_latency",intervention="enable_caching",outcome="promoted"\} 1/,
  )
  const { journal } = await client.exportJournal({ objectiveId })
  assert.equal(verifyExport(journal).ok, true)
})

test('a decision shows its p-value, who causes it, and what was proved', async (t) => {
  const { client } = await serve(t, createWorld())
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { decision } = (await toTheEnd(client, objectiveId)).objective
  assert.ok((decision?.anomalies[0]?.pValue ?? 1) < 1e-6)
  assert.deepEqual([decision?.rootCauses[0]?.service, decision?.rootCauses[0]?.share], ['storefront', 1])
  assert.equal(decision?.obligations.length, 4)
  for (const { name, status, smtSha256 } of decision?.obligations ?? [])
    assert.ok(status === 'proven' && /^[0-9a-f]{64}$/.test(smtSha256), name)
})

test('without a solver nothing is proved, and nothing is changed', async (t) => {
  const world = createWorld()
  const prover = createProver({ program: { argv: ['/nonexistent/solver'] } })
  t.after(() => prover.close())
  const { client } = await serve(t, world, { prover })
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.state, StateCode.DECLINED)
  assert.match(objective.reason, /not proven: the solver cannot be started/)
  assert.equal(objective.decision?.intervention, 'none')
  assert.ok(!world.calls.includes('proposeChange'))
})

test('a canary that is worse ends aborted, with the change reverted', async (t) => {
  const world = createWorld({ deployment: DeploymentState.ABORTED })
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({
    goal: 'reduce_latency',
    intervention: 'enable_caching',
  })
  const { objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.state, StateCode.ABORTED)
  assert.ok(world.effects.has(`revert:c-${objectiveId}-1`))
  assert.ok(!world.effects.has(`promote:c-${objectiveId}-1`))
  const again = await client.submitObjective({ goal: 'reduce_latency', intervention: 'enable_caching' })
  const second = await toTheEnd(client, again.objectiveId)
  assert.equal(second.objective.state, StateCode.DECLINED)
  assert.match(second.objective.reason, /tried from this very commit and aborted/)
})

test('it declines when the promise is kept, and changes nothing', async (t) => {
  const world = createWorld({ slowShare: 0.01 })
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.state, StateCode.DECLINED)
  assert.match(objective.reason, /nothing to improve: latency_p95 of storefront is/)
  assert.equal(world.effects.size, 0)
})

test('it declines without traffic, for want of evidence', async (t) => {
  const { client } = await serve(t, createWorld({ requestsPerSecond: 0 }))
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.state, StateCode.DECLINED)
  assert.match(objective.reason, /not enough evidence: 0 requests in 20 s/)
})

test('a refused change leads to the next intervention, and to "declined" when none is left', async (t) => {
  const world = createWorld({ refusal: 'nothing pure is hot' })
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.state, StateCode.DECLINED)
  assert.equal(objective.turn, 3)
  assert.equal(world.calls.filter((call) => call === 'proposeChange').length, 2)
  assert.match(objective.reason, /enable_caching: nothing pure is hot/)
})

test('a refusal by policy ends the objective without a commit', async (t) => {
  const world = createWorld({ authorization: AuthorizationOutcome.REFUSED })
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.state, StateCode.REFUSED)
  assert.equal(world.effects.size, 0)
})

test('autonomy sets how far it goes: observe changes nothing, propose stops at the branch', async (t) => {
  const world = createWorld()
  const { client } = await serve(t, world)
  const observing = await client.submitObjective({ goal: 'reduce_latency', autonomy: 1 })
  assert.match(
    (await toTheEnd(client, observing.objectiveId)).objective.reason,
    /autonomy is observe: would do enable_caching/,
  )
  assert.equal(world.effects.size, 0)
  const proposing = await client.submitObjective({ goal: 'reduce_latency', autonomy: 2 })
  assert.equal((await toTheEnd(client, proposing.objectiveId)).objective.state, StateCode.PROPOSED)
  assert.deepEqual([...world.effects], [`commit:c-${proposing.objectiveId}-1`])
})

test('it waits for a person, shows which approval, and goes on when they decide', async (t) => {
  const world = createWorld({ authorization: AuthorizationOutcome.AWAITING_APPROVAL })
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  for await (const { event } of client.watchObjective({ objectiveId })) {
    if (event?.type !== 'awaiting') continue
    assert.equal(event.objective?.state, StateCode.AWAITING_APPROVAL)
    assert.equal(event.objective?.approvalId, 'a-1')
    world.authorization = AuthorizationOutcome.PERMITTED
  }
  assert.equal((await client.getObjective({ objectiveId })).objective?.state, StateCode.PROMOTED)
})

test('cancel puts back what is under way', async (t) => {
  const world = createWorld({ authorization: AuthorizationOutcome.AWAITING_APPROVAL })
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  for await (const { event } of client.watchObjective({ objectiveId })) {
    if (event?.type === 'awaiting') void client.cancelObjective({ objectiveId, reason: 'not today' })
  }
  const { objective } = await client.getObjective({ objectiveId })
  assert.equal(objective?.state, StateCode.CANCELED)
  assert.equal(objective?.reason, 'not today')
})

test('a peer that is away for a moment is waited for; one that stays broken ends the objective with its words', async (t) => {
  const world = createWorld()
  let faults = 3
  world.before = (call) => {
    if (call === 'commitChange' && faults-- > 0) throw new ConnectError('restarting', Code.Unavailable)
  }
  const { client } = await serve(t, world)
  const first = await client.submitObjective({ goal: 'reduce_latency' })
  assert.equal((await toTheEnd(client, first.objectiveId)).objective.state, StateCode.PROMOTED)
  world.before = (call) => {
    if (call === 'startDeployment') throw new ConnectError('no warrant', Code.PermissionDenied)
  }
  const second = await client.submitObjective({ goal: 'reduce_latency', intervention: 'add_timeout' })
  const { objective } = await toTheEnd(client, second.objectiveId)
  assert.equal(objective.state, StateCode.FAILED)
  assert.match(objective.reason, /deploy: .*no warrant/)
  assert.ok(world.effects.has(`revert:c-${second.objectiveId}-1`))
})

for (const call of ['commitChange', 'startDeployment', 'promoteChange']) {
  test(`a warrant that is over at ${call} is asked for anew, and the objective goes on`, async (t) => {
    const world = createWorld()
    world.before = (made) => {
      if (made === call) world.envelope = 'signed anew'
    }
    const { client } = await serve(t, world)
    const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
    const { objective } = await toTheEnd(client, objectiveId)
    assert.equal(objective.state, StateCode.PROMOTED, objective.reason)
    assert.equal(world.effects.size, 3)
  })
}

test('where policy does not permit the change any more, a warrant that is over ends the objective, and it is reverted', async (t) => {
  const world = createWorld()
  world.before = (call) => {
    if (call !== 'promoteChange') return
    world.envelope = 'signed anew'
    world.authorization = AuthorizationOutcome.REFUSED
  }
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.state, StateCode.FAILED)
  assert.match(objective.reason, /^learn: the warrant is refused: it expired/)
  assert.ok(world.effects.has(`retract:d-c-${objectiveId}-1`), 'stable is the version before again')
  assert.ok(world.effects.has(`revert:c-${objectiveId}-1`))
  assert.ok(!world.effects.has(`promote:c-${objectiveId}-1`))
})

test('with the deployer away an objective still ends, says what could not be put back, and is reverted in git', async (t) => {
  const world = createWorld()
  world.before = (call) => {
    if (call === 'startDeployment') throw new ConnectError('no room', Code.FailedPrecondition)
    if (call === 'listDeployments') throw new ConnectError('the deployer is away', Code.Unavailable)
  }
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.state, StateCode.FAILED)
  assert.match(
    objective.reason,
    /^deploy: no room; the deployments could not be looked for: the deployer is away$/,
  )
  assert.ok(world.effects.has(`revert:c-${objectiveId}-1`))
})

test('a wall clock that goes back all the time disturbs nothing, and the journal verifies', async (t) => {
  let steps = 0
  const clock = { ...impatientClock, nowMs: () => systemClock.nowMs() - 60_000 * steps++ }
  const { client, journal } = await serve(t, createWorld(), { clock })
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.state, StateCode.PROMOTED, objective.reason)
  const exported = await client.exportJournal({ objectiveId })
  assert.equal(verifyExport(exported.journal).ok, true)
  const times = (await journal.read(`objective/${objectiveId}`)).map(({ atMs }) => atMs)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
})

test('a busy target, an unknown target and an unusable target are told to the submitter', async (t) => {
  const world = createWorld({ authorization: AuthorizationOutcome.AWAITING_APPROVAL })
  const { client } = await serve(t, world)
  await client.submitObjective({ goal: 'reduce_latency' })
  const submit = (request: object) => client.submitObjective({ goal: 'reduce_latency', ...request })
  await assert.rejects(
    submit({}),
    (error: ConnectError) =>
      error.code === Code.FailedPrecondition && /busy with objective/.test(error.message),
  )
  await assert.rejects(
    submit({ target: 'nowhere' }),
    (error: ConnectError) => error.code === Code.NotFound && /there is storefront/.test(error.message),
  )
  await assert.rejects(
    client.getObjective({ objectiveId: 'o-unknown' }),
    (error: ConnectError) => error.code === Code.NotFound,
  )
})

test('a target that cannot be worked on is refused with the reason, and no objective is left behind', async (t) => {
  const world = createWorld()
  world.before = () => {
    throw new ConnectError('/srv/shop has uncommitted changes: commit or stash them', Code.FailedPrecondition)
  }
  const { client } = await serve(t, world)
  await assert.rejects(
    client.submitObjective({ goal: 'reduce_latency' }),
    (error: ConnectError) =>
      error.code === Code.FailedPrecondition && /uncommitted changes: commit or stash/.test(error.message),
  )
  assert.deepEqual((await client.listObjectives({})).objectives, [])
})

test('a bad value names its field', async (t) => {
  const { client } = await serve(t, createWorld())
  for (const [request, field] of [
    [{ goal: 'world_peace' }, 'goal'],
    [{ goal: 'reduce_latency', targetMetric: 'beauty' }, 'target_metric'],
    [{ goal: 'reduce_latency', intervention: 'DROP TABLE' }, 'intervention'],
  ] as const) {
    await assert.rejects(
      client.submitObjective(request),
      (error: ConnectError) => error.code === Code.InvalidArgument && error.message.includes(field),
    )
  }
})

test('the same request id gives the same objective', async (t) => {
  const { client } = await serve(t, createWorld())
  const request = { goal: 'reduce_latency', requestId: 'ticket-42' }
  const first = await client.submitObjective(request)
  await toTheEnd(client, first.objectiveId)
  assert.equal((await client.submitObjective(request)).objectiveId, first.objectiveId)
})
