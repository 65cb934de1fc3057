import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { obligationsFor, proveRollout, whyUnproven } from './obligations.ts'
import type { BudgetSeen, Observation } from './observe.ts'
import { understand } from './orient.ts'
import { createProver } from './proof/prover.ts'

const prover = createProver()
after(() => prover.close())

const latency: BudgetSeen = {
  name: 'p95',
  service: 'shop',
  indicator: 'latency',
  objective: 0.95,
  thresholdMs: 10,
  windowSeconds: 3600,
  remaining: 0.5,
  burning: true,
  burnRate: 4,
}
const availability: BudgetSeen = { ...latency, name: 'up', indicator: 'availability', objective: 0.99 }

function observed(change: Partial<Observation> = {}): Observation {
  const slot = { requests: 80, errors: 0, latency: { upperBoundsMs: [10, 100], counts: [40, 40, 0] } }
  const slots = Array.from({ length: 20 }, () => slot)
  return {
    atMs: 0,
    seconds: 20,
    head: 'a'.repeat(40),
    branch: 'main',
    permitted: ['enable_caching'],
    steps: [
      { weightPercent: 20, minSeconds: 8 },
      { weightPercent: 50, minSeconds: 15 },
    ],
    services: [{ service: 'shop', coveredSeconds: 20, slots, history: [] }],
    edges: [],
    budgets: [latency, availability],
    ...change,
  }
}

async function prove(observation: Observation) {
  const { signal } = new AbortController()
  const situation = understand(observation, { targetMetric: 'latency_p95' })
  return proveRollout(observation, situation, { prover, signal })
}

test('of a careful roll-out all is proved: what it may cost, the way back, and that more risk never helps', async () => {
  const obligations = await prove(observed())
  assert.deepEqual(
    obligations.map(({ name, status }) => `${name}: ${status}`),
    [
      'burn of a canary that fails from its start: proven',
      'burn of a canary that begins to fail later: proven',
      'way back to stable: proven',
      'gate the risk gate: proven',
    ],
  )
  assert.ok(obligations.every(({ smt, smtSha256 }) => smt.includes('(check-sat)') && smtSha256.length === 64))
  assert.equal(whyUnproven(obligations), undefined)
})

test('a roll-out that can spend the whole error budget is refuted with the case in words', async () => {
  const strict = { ...availability, objective: 0.9999, windowSeconds: 3600 }
  const obligations = await prove(observed({ budgets: [latency, strict] }))
  const refuted = obligations.filter(({ status }) => status === 'refuted')
  assert.ok(refuted.length > 0)
  assert.match(refuted[0]?.counterexample ?? '', /\d/)
  assert.match(whyUnproven(obligations) ?? '', /burn of a canary .* is refuted: /)
})

test('without an SLO for availability it is held against the objective’s own', () => {
  const observation = observed({ budgets: [latency] })
  const situation = understand(observation, { targetMetric: 'latency_p95' })
  const [first] = obligationsFor(observation, situation)
  assert.match(first?.smt ?? '', /3600\.0 \(\/ 5\.0 100\.0\)/)
  assert.equal(situation.allowedBadShare, 0.05)
})

test('a solver that is absent proves nothing, and that is a reason to stop', async () => {
  const absent = createProver({ program: { argv: ['/nonexistent/solver'] } })
  const observation = observed()
  const situation = understand(observation, { targetMetric: 'latency_p95' })
  const { signal } = new AbortController()
  const obligations = await proveRollout(observation, situation, { prover: absent, signal })
  await absent.close()
  assert.ok(obligations.every(({ status }) => status === 'not proven'))
  assert.match(whyUnproven(obligations) ?? '', /not proven: the solver cannot be started/)
})

test('no obligation at all is no proof', () => {
  assert.equal(whyUnproven([]), 'nothing was there to be proved')
})
