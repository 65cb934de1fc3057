import { test } from 'node:test'
import { gateObligation } from './gate.ts'
import type { GateCondition, QuotaPlan, RollbackPlan } from './plan.ts'
import { assertProven, assertRefuted, assertUnproven, proverForTests } from './proving.testing.ts'
import { quotaObligations } from './quota.ts'
import { rollbackObligation } from './rollback.ts'

const { prove } = proverForTests()

const states: RollbackPlan = {
  stable: 'stable',
  states: ['canary', 'judging', 'aborting', 'stable'],
  transitions: [
    { from: 'canary', to: 'judging', seconds: 1 },
    { from: 'canary', to: 'aborting', seconds: 9 },
    { from: 'judging', to: 'aborting', seconds: 2 },
    { from: 'aborting', to: 'stable', seconds: 4 },
  ],
  withinSeconds: 7,
}

async function proveRollback(change: Partial<RollbackPlan>) {
  return (await prove([rollbackObligation({ ...states, ...change })]))[0]
}

test('every state leads back in time, by the quickest way', async () => {
  assertProven(await proveRollback({}))
  assertRefuted(
    await proveRollback({ withinSeconds: 6.9 }),
    /^from canary the shortest way back takes 7 s, 6\.9 s are allowed: canary → judging → aborting → stable$/,
  )
})

test('a state without a way back is found', async () => {
  assertRefuted(
    await proveRollback({ states: [...states.states, 'paused'] }),
    /^from paused no transition leads back to stable$/,
  )
  assertRefuted(await proveRollback({ transitions: [] }), /^from \w+ no transition leads back/)
})

test('states that lead nowhere but round are found', async () => {
  const transitions = [
    ...states.transitions,
    { from: 'a', to: 'b', seconds: 0 },
    { from: 'b', to: 'a', seconds: 0 },
  ]
  assertRefuted(
    await proveRollback({ states: [...states.states, 'a', 'b'], transitions }),
    /^from [ab] no transition/,
  )
})

test('stable alone is proven; a state or time that does not exist is not', async () => {
  assertProven(await proveRollback({ states: ['stable'], transitions: [] }))
  assertUnproven(await proveRollback({ states: [] }), /stable is not among the states/)
  assertUnproven(
    await proveRollback({ transitions: [{ from: 'x', to: 'stable', seconds: 1 }] }),
    /x is not among/,
  )
  assertUnproven(await proveRollback({ withinSeconds: Number.NaN }), /the time to get back is NaN/)
})

const quota: QuotaPlan = {
  workloads: [
    { name: 'web', minReplicas: 1, maxReplicas: 5, surgePercent: 25, requests: { cpu: 100 } },
    { name: 'cart', minReplicas: 0, maxReplicas: 2, surge: 1, requests: { cpu: 250, memory: 64 } },
  ],
  limits: { cpu: 1450 },
}

async function proveQuota(change: Partial<QuotaPlan>) {
  return (await prove(quotaObligations({ ...quota, ...change })))[0]
}

test('all replicas with their surge, rounded up, fit into the quota', async () => {
  // (5 + 2) × 100 + (2 + 1) × 250
  assertProven(await proveQuota({}))
  assertRefuted(
    await proveQuota({ limits: { cpu: 1449 } }),
    /^1450 of cpu are requested, 1449 are there, with replicas and surge of web 5\+2, cart 2\+1$/,
  )
})

test('a quota of workloads that do not say what they request is not proven', async () => {
  assertUnproven(
    await proveQuota({ limits: { memory: 1000 } }),
    /web does not say how much memory it requests/,
  )
  const [web] = quota.workloads
  assertUnproven(await proveQuota({ workloads: [{ ...web!, maxReplicas: 2.5 }] }), /has to be a whole number/)
  assertUnproven(
    await proveQuota({ workloads: [{ ...web!, minReplicas: 6 }] }),
    /replicas of web is to be at least 6/,
  )
  assertUnproven(await proveQuota({ workloads: [{ ...web!, surgePercent: Number.NaN }] }), /is NaN/)
})

test('no workloads fit into any quota, and none fit into none', async () => {
  assertProven(await proveQuota({ workloads: [], limits: { cpu: 0 } }))
  assertRefuted(await proveQuota({ limits: { cpu: 0 } }), /0 are there/)
})

async function proveGate(accepts: GateCondition, dimensions = ['blast', 'harm']) {
  return (await prove([gateObligation({ name: 'of risk', dimensions, accepts })]))[0]
}

const rising: GateCondition = {
  score: [
    {
      dimension: 'blast',
      points: [
        [0, 0],
        [0.5, 10],
        [1, 40],
      ],
    },
    {
      dimension: 'harm',
      points: [
        [0.1, 0],
        [1, 30],
      ],
    },
  ],
  atMost: 35,
}

test('limits and a score that rises never turn more risk into a yes', async () => {
  assertProven(await proveGate({ all: [rising, { dimension: 'harm', atMost: 0.4 }] }))
  assertProven(await proveGate({ any: [rising, { all: [{ dimension: 'harm', atMost: 0.1 }] }] }))
  assertProven(await proveGate({ not: { dimension: 'harm', atLeast: 0.5 } }))
})

test('a comparison turned round, an exception and points that fall are found', async () => {
  const harmful: GateCondition[] = [
    { all: [rising, { dimension: 'harm', atLeast: 0.1 }] },
    { any: [rising, { dimension: 'blast', atLeast: 0.9 }] },
    { not: { dimension: 'harm', atMost: 0.5 } },
    {
      score: [
        {
          dimension: 'blast',
          points: [
            [0, 0],
            [0.5, 40],
            [1, 20],
          ],
        },
      ],
      atMost: 30,
    },
    {
      score: [
        {
          dimension: 'blast',
          points: [
            [0, 10],
            [1, -10],
          ],
        },
      ],
      atMost: 0,
    },
  ]
  for (const accepts of harmful) {
    assertRefuted(
      await proveGate(accepts),
      /^of risk refuses (blast|harm) \S+ and accepts \1 \S+, with (blast|harm) \S+$/,
    )
  }
})

test('a gate that accepts all or nothing is proven, one of unknown dimensions is not', async () => {
  assertProven(await proveGate({ all: [] }))
  assertProven(await proveGate({ any: [] }, []))
  assertUnproven(await proveGate(rising, ['blast']), /harm is not among the dimensions/)
  assertUnproven(await proveGate({ score: [{ dimension: 'harm', points: [] }], atMost: 1 }), /has no points/)
  const doubled: GateCondition = {
    score: [
      {
        dimension: 'harm',
        points: [
          [1, 0],
          [1, 5],
        ],
      },
    ],
    atMost: 1,
  }
  assertUnproven(await proveGate(doubled), /not in rising order/)
  assertUnproven(await proveGate({ dimension: 'harm', atMost: Number.NaN }), /limit of harm is NaN/)
  let deep: GateCondition = { all: [] }
  for (let depth = 0; depth < 100; depth++) deep = { not: deep }
  assertUnproven(await proveGate(deep), /more than 20 deep/)
})
