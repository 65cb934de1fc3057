import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import { DeploymentState } from '../gen/nexus/deployer/v1/deployment_pb.ts'
import { AuthorizationOutcome } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { serve, toTheEnd } from './mind.testing.ts'
import type { ObjectiveState } from './objective.ts'
import { createWorld, type World } from './peers.fixture.ts'
import { recordOf } from './remember.ts'

const state = {
  id: 'o-1',
  turn: 2,
  excluded: { add_timeout: 'no call to others is awaited' },
  wish: { goal: 'reduce_latency', targetMetric: 'latency_p95', intervention: '', target: 'storefront' },
  results: {
    orient: {
      anomalies: [{ remark: 'latency_p95 of storefront is 54.0 ms: 30.0 % took longer than 10 ms' }],
      rootCauses: [{ remark: 'storefront causes 97 % of the excess' }],
      changes: [],
    },
    decide: {
      intervention: 'enable_caching',
      reasons: ['30.0 % took longer than 10 ms', 'never tried here'],
      options: [
        {
          intervention: 'enable_caching',
          effect: { estimate: -0.4, low: -0.5, high: -0.3, origin: 'experience', observations: 2 },
          reason: 'chosen',
        },
        {
          intervention: 'add_timeout',
          effect: { estimate: 0, low: -1, high: 1, origin: 'none', observations: 0 },
          reason: 'no call to others is awaited',
        },
      ],
    },
    propose: { id: 'c-1', baseCommit: '9f2c', summary: 'caches similarProducts' },
    authorize: { effect: { estimate: -0.41, low: -0.52, high: -0.3, origin: 'benchmark', observations: 4 } },
    commit: { commit: '77ab', branch: 'nexus/c-1' },
    learn: { measured: -0.652, canaryValue: 41.04, stableValue: 118 },
  },
} as unknown as ObjectiveState

test('a record tells what became of a turn and why first, then the change, what was found and what was considered', () => {
  const record = recordOf(state, { ending: 'promoted', reason: 'the canary was 65 % faster' })
  assert.deepEqual(record, {
    id: 'objective/o-1/2',
    title: 'enable_caching on storefront: promoted',
    source: 'nexus:objective/o-1',
    text: [
      'What became of enable_caching on storefront: it was promoted, because the canary was 65 % faster.',
      'The change c-1 was: caches similarProducts.',
      'Why it was changed: 30.0 % took longer than 10 ms; never tried here.',
      'What was expected of latency_p95: -41 % (-52 % to -30 %) by the benchmark.',
      'What the canary measured of latency_p95: 41 against 118 on stable (-65 %).',
      'What was found: latency_p95 of storefront is 54.0 ms: 30.0 % took longer than 10 ms; storefront causes 97 % of the excess.',
      'What was considered: enable_caching, expected -40 % (-50 % to -30 %) by 2 earlier canaries; chosen.',
      'What was considered: add_timeout, expected unknown, as it was never tried here; no call to others is awaited.',
      'What earlier turns gave up: add_timeout (no call to others is awaited).',
      'It served objective o-1, reduce_latency by latency_p95, in turn 2, on base 9f2c, commit 77ab.',
    ].join('\n\n'),
  })
})

test('a record of a turn that ended before anything was chosen tells the goal, and that nothing was changed', () => {
  const early = { ...state, turn: 1, excluded: {}, results: {} } as ObjectiveState
  assert.deepEqual(recordOf(early, { ending: 'canceled', reason: 'not today' }), {
    id: 'objective/o-1/1',
    title: 'reduce_latency on storefront: canceled',
    source: 'nexus:objective/o-1',
    text: [
      'What became of reduce_latency on storefront: it was canceled and nothing was changed, because not today.',
      'It served objective o-1, reduce_latency by latency_p95, in turn 1.',
    ].join('\n\n'),
  })
})

test('a reason of any length leaves a record that the contract takes', () => {
  const record = recordOf(state, { ending: 'failed', reason: 'x'.repeat(100_000) })
  assert.ok((record.text?.length ?? 0) < 10_000)
})

const outcomes: [what: string, world: Partial<World>, request: object, title: string, because: RegExp][] = [
  [
    'promoted',
    {},
    {},
    'enable_caching on storefront: promoted',
    /it was promoted, because as the test wants it\.\n\nThe change c-o-[^ ]+ was: caches similarProducts\./,
  ],
  [
    'aborted',
    { deployment: DeploymentState.ABORTED },
    {},
    'enable_caching on storefront: aborted',
    /it was aborted by the canary and reverted, because/,
  ],
  [
    'inconclusive',
    { deployment: DeploymentState.INCONCLUSIVE },
    {},
    'enable_caching on storefront: inconclusive',
    /it was reverted for want of evidence, because/,
  ],
  [
    'failed',
    { deployment: DeploymentState.FAILED },
    {},
    'enable_caching on storefront: failed',
    /it was reverted, as it could not be tried, because/,
  ],
  [
    'refused',
    { authorization: AuthorizationOutcome.REFUSED },
    {},
    'enable_caching on storefront: refused',
    /it was refused by policy and nothing was changed, because as the test wants it\./,
  ],
  [
    'declined',
    { slowShare: 0.01 },
    {},
    'reduce_latency on storefront: declined',
    /it was declined and nothing was changed, because nothing to improve: latency_p95 of storefront is/,
  ],
  [
    'declined for want of traffic',
    { requestsPerSecond: 0 },
    { intervention: 'add_timeout' },
    'add_timeout to reduce_latency on storefront: declined',
    /because not enough evidence: 0 requests[^\n]*\n\nWhat was found: 0 requests/,
  ],
  [
    'proposed',
    {},
    { autonomy: 2 },
    'enable_caching on storefront: proposed',
    /it was left on its branch, because/,
  ],
]

for (const [what, change, request, title, because] of outcomes) {
  test(`a turn that ends ${what} is told to the knowledge graph before its objective has ended`, async (t) => {
    const world = createWorld(change)
    const { client } = await serve(t, world)
    const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency', ...request })
    const { objective } = await toTheEnd(client, objectiveId)
    assert.deepEqual([...world.remembered.keys()], [`objective/${objectiveId}/1`], objective.reason)
    const record = world.remembered.get(`objective/${objectiveId}/1`)
    assert.equal(record?.title, title)
    assert.match(record?.text ?? '', because)
    assert.match(record?.text ?? '', /\nWhat was found: /)
  })
}

test('each turn has a record of its own, what was given up and what was considered', async (t) => {
  const world = createWorld({ refusal: 'nothing pure is hot' })
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  await toTheEnd(client, objectiveId)
  const records = [1, 2, 3].map(
    (turn) => world.remembered.get(`objective/${objectiveId}/${turn}`)?.text ?? '',
  )
  assert.match(
    records[0] ?? '',
    /enable_caching on storefront: it was given up, .* because nothing pure is hot\./,
  )
  assert.match(records[1] ?? '', /add_timeout on storefront: it was given up/)
  assert.match(records[1] ?? '', /What earlier turns gave up: enable_caching \(nothing pure is hot\)\./)
  assert.match(records[2] ?? '', /reduce_latency on storefront: it was declined and nothing was changed/)
  assert.match(
    records[2] ?? '',
    /What was considered: enable_caching, expected unknown.*; nothing pure is hot\./,
  )
})

test('what a person canceled and what broke is told too', async (t) => {
  const world = createWorld({ authorization: AuthorizationOutcome.AWAITING_APPROVAL })
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  for await (const { event } of client.watchObjective({ objectiveId })) {
    if (event?.type === 'awaiting') void client.cancelObjective({ objectiveId, reason: 'not today' })
  }
  const canceled = world.remembered.get(`objective/${objectiveId}/1`)
  assert.match(canceled?.text ?? '', /it was canceled and nothing was changed, because not today\./)
  world.authorization = AuthorizationOutcome.PERMITTED
  world.before = (call) => {
    if (call === 'startDeployment') throw new ConnectError('no room', Code.FailedPrecondition)
  }
  const second = await client.submitObjective({ goal: 'reduce_latency' })
  await toTheEnd(client, second.objectiveId)
  const failed = world.remembered.get(`objective/${second.objectiveId}/1`)
  assert.match(
    failed?.text ?? '',
    /enable_caching on storefront: it was ended by a failure, because deploy: no room/,
  )
})

test('the decision of a second objective is told what became of the first, by the knowledge graph', async (t) => {
  const world = createWorld({ deployment: DeploymentState.ABORTED })
  const { client } = await serve(t, world)
  const first = await client.submitObjective({ goal: 'reduce_latency' })
  assert.deepEqual((await toTheEnd(client, first.objectiveId)).objective.decision?.relatedKnowledge, [])
  const second = await client.submitObjective({ goal: 'reduce_latency' })
  assert.deepEqual((await toTheEnd(client, second.objectiveId)).objective.decision?.relatedKnowledge, [
    'What became of enable_caching on storefront: it was aborted by the canary and reverted, because as the test wants it.',
  ])
})

test('with the knowledge graph away an objective ends as it would, and its watcher is told', async (t) => {
  const world = createWorld()
  world.before = (call) => {
    if (call === 'putDocuments' || call === 'retrieve') throw new ConnectError('restarting', Code.Unavailable)
  }
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  const { seen, objective } = await toTheEnd(client, objectiveId)
  assert.equal(objective.reason, 'as the test wants it')
  assert.ok(seen.some(({ message }) => message.startsWith('the knowledge graph could not be told: ')))
})
