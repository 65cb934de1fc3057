import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessObligations } from './access.ts'
import { obligationsOf } from './obligations.ts'
import type { AccessPlan, SchedulePlan } from './plan.ts'
import { assertProven, assertRefuted, assertUnproven, nothing, proverForTests } from './proving.testing.ts'
import { scheduleObligation } from './schedule.ts'

const { prove } = proverForTests()

const allows = [
  { from: 'ingress', to: 'kong' },
  { from: 'kong', to: 'web' },
  { from: 'web', to: 'vault' },
]
const layers = [
  { name: 'authorization policies', allows },
  { name: 'network policies', allows },
]
const access: AccessPlan = { ingress: 'ingress', gateway: 'kong', protected: ['vault'], layers }

async function proveAccess(change: Partial<AccessPlan>) {
  return (await prove(accessObligations({ ...access, ...change })))[0]
}

test('with two layers no single wrong rule opens a way around the gateway, two do', async () => {
  assertProven(await proveAccess({}))
  assertProven(await proveAccess({ tolerates: 1 }))
  assertRefuted(
    await proveAccess({ tolerates: 2 }),
    /^ingress → (web → )?vault goes around kong once there is one wrong rule .* in (authorization|network) policies and rule .* policies$/,
  )
})

test('a way around the gateway is told step by step', async () => {
  const open = [...allows, { from: 'ingress', to: 'debugger' }, { from: 'debugger', to: 'web' }]
  const both = layers.map(({ name }) => ({ name, allows: open }))
  assertRefuted(await proveAccess({ layers: both }), /^ingress → debugger → web → vault goes around kong$/)
  // One layer that is closed is enough.
  assertProven(await proveAccess({ layers: [layers[0]!, both[1]!] }))
  assertProven(await proveAccess({ layers: [layers[0]!, both[1]!], tolerates: 1 }))
  assertRefuted(
    await proveAccess({ layers: [layers[0]!, both[1]!], tolerates: 2 }),
    /once there is one wrong rule/,
  )
})

test('services that allow each other in a circle are not reached by that', async () => {
  const circle = [...allows, { from: 'a', to: 'b' }, { from: 'b', to: 'a' }, { from: 'b', to: 'vault' }]
  assertProven(await proveAccess({ layers: [{ name: 'policies', allows: circle }] }))
})

test('without a layer all is open, which is no proof; without services nothing is to be proven', async () => {
  assertUnproven(await proveAccess({ layers: [] }), /no layer says who may call whom/)
  assert.deepEqual(accessObligations({ ...access, protected: [] }), [])
  assertProven(await proveAccess({ layers: [{ name: 'deny all', allows: [] }] }))
  assertUnproven(await proveAccess({ tolerates: Number.NaN }), /is NaN|more than/)
  const crowd = Array.from({ length: 101 }, (_, index) => ({ from: `s${index}`, to: 'vault' }))
  assertUnproven(await proveAccess({ layers: [{ name: 'all', allows: crowd }] }), /more than 100 services/)
})

const edges = [
  { from: 'web', to: 'cart' },
  { from: 'cart', to: 'stock' },
]

function change(id: string, service: string, earliestStartS: number, latestStartS = earliestStartS) {
  return { id, service, earliestStartS, latestStartS, seconds: 100 }
}

async function proveSchedule(changes: SchedulePlan['changes'], freezes: SchedulePlan['freezes'] = []) {
  return (await prove([scheduleObligation({ changes, freezes }, { edges })]))[0]
}

test('changes that follow each other, or touch different services, may go on', async () => {
  assertProven(await proveSchedule([change('a', 'web', 0), change('b', 'stock', 100)]))
  assertProven(await proveSchedule([change('a', 'web', 0), change('b', 'mail', 0)]))
  assertProven(await proveSchedule([]))
})

test('two changes of which one reaches the other may not meet, wherever their starts fall', async () => {
  assertRefuted(
    await proveSchedule([change('a', 'web', 0), change('b', 'stock', 99, 200)]),
    /^a of web from second 0 and b of stock from second 99(\.\d+)? are under way at once/,
  )
  assertRefuted(
    await proveSchedule([change('a', 'mail', 0, 50), change('b', 'mail', 120)]),
    /under way at once/,
  )
})

test('no change is under way in a freeze', async () => {
  const freeze = { name: 'the holidays', fromS: 150, untilS: 1000 }
  assertProven(await proveSchedule([change('a', 'web', 0, 50)], [freeze]))
  assertRefuted(await proveSchedule([change('a', 'web', 0, 51)], [freeze]), /is under way in the holidays$/)
})

test('a schedule that says nonsense is not proven', async () => {
  assertUnproven(await proveSchedule([change('a', 'web', Number.NaN)]), /is NaN/)
  assertUnproven(await proveSchedule([change('a', 'web', 0), change('a', 'web', 0)]), /two things are named/)
  assertUnproven(
    await proveSchedule(Array.from({ length: 101 }, (_, index) => change(`${index}`, 'web', 0))),
    /more than 100/,
  )
})

test('a start that cannot be proves nothing and is refused', async () => {
  assertUnproven(
    await proveSchedule([change('a', 'web', 50, 10)]),
    /starts at 50 s at the earliest and 10 s at the latest/,
  )
})

test('what is assumed does not contradict itself: without the contrary of the claim there is always a way', async () => {
  const services = [
    { name: 'web', workMs: 5, maxInFlight: 100 },
    { name: 'cart', workMs: 2 },
    { name: 'stock', workMs: 2, maxInFlight: 100 },
  ]
  const calls = edges.map((edge) => ({
    ...edge,
    attempts: 2,
    backoffMs: 5,
    perTryTimeoutMs: 30,
    timeoutMs: 70,
  }))
  const obligations = obligationsOf({
    services,
    edges: calls,
    entries: [{ service: 'web', deadlineMs: 100, peakPerS: 10 }],
    maxAmplification: 4,
    rollout: {
      steps: [{ weightPercent: 25, minSeconds: 10 }],
      detectionSeconds: 5,
      rollbackSeconds: 2,
      sloWindowSeconds: 3600,
      allowedBadShare: 0.01,
      maxBudgetShare: 1,
      maxLateBudgetShare: 1,
    },
    rollback: {
      stable: 's',
      states: ['s', 'c'],
      transitions: [{ from: 'c', to: 's', seconds: 1 }],
      withinSeconds: 5,
    },
    quota: {
      workloads: [{ name: 'web', minReplicas: 1, maxReplicas: 3, surgePercent: 25, requests: { cpu: 1 } }],
      limits: { cpu: 10 },
    },
    schedule: { changes: [change('a', 'web', 0, 10)], freezes: [{ name: 'f', fromS: 500, untilS: 600 }] },
  })
  const assumed = obligations
    .filter(({ property }) => property !== 'rollout plan')
    .map((obligation) => ({
      ...obligation,
      smt: obligation.smt.replace(/\(assert [^\n]*\n\(check-sat\)$/, '(check-sat)'),
    }))
  assert.ok(assumed.length >= 10)
  for (const { name, status } of await prove(assumed)) assert.equal(status, 'refuted', name)
})

test('a whole plan gives all its obligations, an empty one none, an endless one a refusal', async () => {
  const services = [{ name: 'shop', workMs: 12 }]
  const [obligation] = obligationsOf({ ...nothing, services, entries: [{ service: 'shop', deadlineMs: 10 }] })
  assert.equal(obligation?.name, 'deadline of shop')
  assertRefuted((await prove([obligation!]))[0], /shop answers after/)
  assert.deepEqual(obligationsOf(nothing), [])
  const endless = Array.from({ length: 1e6 }, () => ({ from: 'a', to: 'b' }))
  const refused = obligationsOf({ ...nothing, edges: endless })
  assertUnproven((await prove(refused))[0], /more than 5000 edges/)
})
