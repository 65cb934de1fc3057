import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Random, seededRandom } from '../../../platform/statistics/random.ts'
import { AnswerTimes, callGraphOf, stagesOf } from './call-graph.ts'
import type { CallPlan, MeshPlan } from './plan.ts'
import { assertProven, assertRefuted, assertUnproven, nothing, proverForTests } from './proving.testing.ts'
import { Script } from './script.ts'
import { deadlineObligations, inversionObligations } from './times.ts'

const { prove, proveAll } = proverForTests()

/** shop 3 ms → stock 10 ms, twice at most, each try 20 ms. */
const pair: MeshPlan = {
  services: [
    { name: 'shop', workMs: 3 },
    { name: 'stock', workMs: 10 },
  ],
  edges: [{ from: 'shop', to: 'stock', attempts: 2, perTryTimeoutMs: 20, backoffMs: 4, networkMs: 1 }],
  entries: [{ service: 'shop', deadlineMs: 29 }],
}

function withEdge(change: Partial<CallPlan>): MeshPlan {
  return { ...pair, edges: pair.edges.map((edge) => ({ ...edge, ...change })) }
}

test('a deadline just long enough for all tries is proven, one a thousandth shorter is refuted in words', async () => {
  // 3 + 11 + 4 + 11
  assertProven((await proveAll(pair)).get('deadline of shop'))
  const shorter = { ...pair, entries: [{ service: 'shop', deadlineMs: 28.999 }] }
  assertRefuted(
    (await proveAll(shorter)).get('deadline of shop'),
    /^shop answers after 29 ms, its deadline is 28\.999 ms: own work 3 ms, stock 26 ms \(up to 2 tries of 11 ms\)$/,
  )
})

test('a service that may stall is bounded by time-outs alone', async () => {
  const stalling = (edge: Partial<CallPlan>) => ({
    ...withEdge(edge),
    services: [{ name: 'shop', workMs: 3 }, { name: 'stock' }],
    entries: [{ service: 'shop', deadlineMs: 50 }],
  })
  assertProven((await proveAll(stalling({}))).get('deadline of shop'))
  assertProven(
    (await proveAll(stalling({ perTryTimeoutMs: undefined, timeoutMs: 47 }))).get('deadline of shop'),
  )
  const open = await proveAll(stalling({ perTryTimeoutMs: undefined }))
  assertRefuted(open.get('deadline of shop'), /deadline is 50 ms/)
})

test('calls of one stage take the longest of them, others add up', async () => {
  const services = ['a', 'b', 'c'].map((name) => ({ name, workMs: 10 }))
  const edges = [
    { from: 'a', to: 'b', stage: 1 },
    { from: 'a', to: 'c', stage: 1 },
  ]
  const both = { services, edges, entries: [{ service: 'a', deadlineMs: 20 }] }
  assertProven((await proveAll(both)).get('deadline of a'))
  const inTurn = { ...both, edges: edges.map(({ from, to }) => ({ from, to })) }
  assertRefuted((await proveAll(inTurn)).get('deadline of a'), /^a answers after/)
})

test('a caller gives its callee what the callee may need, its own calls using up their time-outs', async () => {
  const chain: MeshPlan = {
    services: [...pair.services, { name: 'web', workMs: 1 }],
    edges: [...pair.edges, { from: 'web', to: 'shop', perTryTimeoutMs: 47 }],
    entries: [],
  }
  // 3 + 20 + 4 + 20
  assertProven((await proveAll(chain)).get('time-outs of web → shop'))
  const edges = [...pair.edges, { from: 'web', to: 'shop', perTryTimeoutMs: 46.5 }]
  assertRefuted(
    (await proveAll({ ...chain, edges })).get('time-outs of web → shop'),
    /^web gives up on shop after 46\.5 ms, which may need 4\d(\.\d+)? ms: own work/,
  )
})

test('a time-out of a call has to leave each of its tries its time', async () => {
  assertProven((await proveAll(withEdge({ timeoutMs: 26 }))).get('time-outs of shop → stock'))
  assertRefuted(
    (await proveAll(withEdge({ timeoutMs: 25 }))).get('time-outs of shop → stock'),
    /^the time-out of 25 ms that shop has for stock ends during its last try/,
  )
})

test('a counterexample is one: what it says of each unknown adds up', async () => {
  const verdict = (await proveAll({ ...pair, entries: [{ service: 'shop', deadlineMs: 20 }] })).get(
    'deadline of shop',
  )
  const values = verdict?.counterexample?.values ?? {}
  const { 'work of shop': work = -1, 'call shop → stock': call = -1, 'answer of shop': answer = -1 } = values
  assert.ok(work >= 0 && work <= 3 && call <= 26 && answer > 20 && answer <= work + call)
})

test('calls in a circle are bounded by their time-outs, and by nothing without', async () => {
  const services = ['a', 'b'].map((name) => ({ name, workMs: 1 }))
  const circle = (timeoutMs?: number): MeshPlan => ({
    services,
    edges: [
      { from: 'a', to: 'b', timeoutMs },
      { from: 'b', to: 'a', timeoutMs },
    ],
    entries: [{ service: 'a', deadlineMs: 100 }],
  })
  assertProven((await proveAll(circle(50))).get('deadline of a'))
  assertRefuted((await proveAll(circle())).get('deadline of a'), /deadline is 100 ms/)
})

test('a plan that cannot be encoded is not proven and says why', async () => {
  const cases: [Partial<MeshPlan>, RegExp][] = [
    [withEdge({ perTryTimeoutMs: Number.NaN }), /time-out of a try shop → stock is NaN/],
    [withEdge({ backoffMs: -1 }), /backoff of shop → stock is -1: it cannot be negative/],
    [withEdge({ networkMs: Infinity }), /network of shop → stock is Infinity/],
    [withEdge({ perTryTimeoutMs: 2 ** 53 }), /above 2\^40 nothing is proven/],
    [withEdge({ attempts: 0 }), /attempts of shop → stock is 0: give a whole number from 1 to 12/],
    [withEdge({ attempts: 2.5 }), /attempts of shop → stock is 2\.5/],
    [withEdge({ to: 'nobody' }), /nobody is not among the services/],
    [{ ...pair, entries: [{ service: 'nobody', deadlineMs: 1 }] }, /nobody is not among the services/],
    [{ ...pair, edges: [...pair.edges, ...pair.edges] }, /two edges are shop → stock/],
    [{ ...pair, services: [...pair.services, ...pair.services] }, /two services have one name/],
    [
      {
        ...pair,
        services: [{ name: 'a|b', workMs: 1 }],
        edges: [],
        entries: [{ service: 'a|b', deadlineMs: 1 }],
      },
      /has a bar/,
    ],
  ]
  for (const [plan, reason] of cases) {
    const [verdict] = await prove(deadlineObligations({ ...nothing, ...plan }))
    assertUnproven(verdict, reason)
  }
})

test('no time-outs, no deadlines, no services: nothing is to be proven', () => {
  assert.deepEqual([...deadlineObligations(nothing), ...inversionObligations(nothing)], [])
  assert.deepEqual(inversionObligations(withEdge({ perTryTimeoutMs: undefined })), [])
  assert.deepEqual(stagesOf([]), [])
})

test('what is below a time-out is not looked at by contract, and all of it without', () => {
  const namesWith = (byContract: boolean) => {
    const script = new Script()
    new AnswerTimes(script, callGraphOf(pair), { byContract }).of('shop')
    return script.names.includes('answer of stock')
  }
  assert.deepEqual([namesWith(true), namesWith(false)], [false, true])
})

test('on meshes at random the bound of a deadline is exactly the longest answer', async () => {
  const plans = Array.from({ length: 40 }, (_, index) => drawMesh(seededRandom(index)))
  const obligations = plans.flatMap((plan) => {
    const longest = longestMs(plan, 's0')
    const kept = { ...plan, entries: [{ service: 's0', deadlineMs: longest }] }
    // Quarters are exact in doubles, so a deadline that is an eighth too short is.
    const missed = { ...plan, entries: [{ service: 's0', deadlineMs: longest - 0.125 }] }
    return [...deadlineObligations(kept), ...deadlineObligations(missed)]
  })
  const verdicts = await prove(obligations)
  verdicts.forEach(({ status }, index) => {
    assert.equal(status, index % 2 === 0 ? 'proven' : 'refuted', `seed ${Math.floor(index / 2)}`)
  })
})

function drawMesh(random: Random): MeshPlan {
  const quarters = (most: number) => Math.ceil(random() * most * 4) / 4
  const count = 2 + Math.floor(random() * 8)
  const services = Array.from({ length: count }, (_, index) => ({ name: `s${index}`, workMs: quarters(20) }))
  const edges = services.slice(1).map(({ name }, index): CallPlan => {
    const from = `s${Math.floor(random() * (index + 1))}`
    const attempts = 1 + Math.floor(random() * 3)
    const perTry = random() < 0.5 ? { perTryTimeoutMs: quarters(60) } : {}
    const whole = random() < 0.3 ? { timeoutMs: quarters(100) } : {}
    return { from, to: name, attempts, backoffMs: quarters(8), networkMs: quarters(2), ...perTry, ...whole }
  })
  return { services, edges, entries: [] }
}

function longestMs(plan: MeshPlan, service: string): number {
  const own = plan.services.find(({ name }) => name === service)?.workMs ?? Infinity
  const calls = plan.edges.filter(({ from }) => from === service)
  return calls.reduce((sum, call) => {
    const {
      attempts = 1,
      backoffMs = 0,
      networkMs = 0,
      perTryTimeoutMs = Infinity,
      timeoutMs = Infinity,
    } = call
    const once = Math.min(perTryTimeoutMs, networkMs + longestMs(plan, call.to))
    return sum + Math.min(timeoutMs, attempts * once + backoffMs * (2 ** (attempts - 1) - 1))
  }, own)
}
