import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../platform/statistics/random.ts'
import { amplificationObligations, concurrencyObligations } from './load.ts'
import type { CallPlan, MeshPlan } from './plan.ts'
import { assertProven, assertRefuted, assertUnproven, nothing, proverForTests } from './proving.testing.ts'

const { prove, proveAll } = proverForTests()

/** web → cart → stock, three tries each. */
const path: MeshPlan = {
  services: ['web', 'cart', 'stock'].map((name) => ({ name })),
  edges: [
    { from: 'web', to: 'cart', attempts: 3, perTryTimeoutMs: 100 },
    { from: 'cart', to: 'stock', attempts: 3, perTryTimeoutMs: 30 },
  ],
  entries: [{ service: 'web', peakPerS: 20 }],
  maxAmplification: 9,
}

test('retries multiply along a path', async () => {
  assertProven((await proveAll(path)).get('retries below web'))
  assertRefuted(
    (await proveAll({ ...path, maxAmplification: 8.9 })).get('retries below web'),
    /^stock can get \S+ times its requests without retries, at most 8\.9 are allowed; tries: web → cart 3, cart → stock 3$/,
  )
})

test('a retry budget bounds what retries multiply', async () => {
  const edges = path.edges.map((edge) => ({ ...edge, retryBudget: 0.2 }))
  assertProven((await proveAll({ ...path, edges, maxAmplification: 1.44 })).get('retries below web'))
  assertRefuted(
    (await proveAll({ ...path, edges, maxAmplification: 1.43 })).get('retries below web'),
    /1\.43 are allowed/,
  )
})

test('a service with two callers is weighed by the requests of both', async () => {
  // stock: 3 × 3 by cart and 1 by web, where there were 2.
  const edges = [...path.edges, { from: 'web', to: 'stock' }]
  assertProven((await proveAll({ ...path, edges, maxAmplification: 5 })).get('retries below web'))
  const verdicts = await proveAll({ ...path, edges, maxAmplification: 4.9 })
  assertRefuted(verdicts.get('retries below web'), /^stock can get/)
})

test('retries in a circle have no bound, which is no proof', async () => {
  const edges = [...path.edges, { from: 'stock', to: 'cart' }]
  assertUnproven(
    (await proveAll({ ...path, edges })).get('retries below web'),
    /the calls go in a circle: web → cart → stock → cart/,
  )
})

test('requests in flight are rate times time, each try held until its caller gives up', async () => {
  const limited = (maxInFlight: number): MeshPlan => ({
    ...path,
    services: path.services.map((service) =>
      service.name === 'stock' ? { ...service, maxInFlight } : service,
    ),
  })
  // 20 a second × 9 tries × 30 ms
  assertProven((await proveAll(limited(6))).get('concurrency of stock from web'))
  assertRefuted(
    (await proveAll(limited(5))).get('concurrency of stock from web'),
    /^stock may have 5\.4 requests in flight and takes 5|^stock may have \S+ requests in flight and takes 5/,
  )
})

test('a time-out of the whole call bounds what its tries hold', async () => {
  const edges = path.edges.map((edge) => ({ ...edge, timeoutMs: 50 }))
  const services = path.services.map((service) => ({ ...service, maxInFlight: 3 }))
  assertProven((await proveAll({ ...path, services, edges })).get('concurrency of stock from web'))
})

test('without time-outs nothing bounds the requests in flight', async () => {
  const edges = [{ from: 'web', to: 'cart' }]
  const services = path.services.map((service) => ({ ...service, maxInFlight: 1000 }))
  const verdicts = await proveAll({ ...path, services, edges })
  assertUnproven(verdicts.get('concurrency of cart from web'), /web → cart has no time-out/)
})

test('no traffic, no bound, no entry: defined', async () => {
  assert.deepEqual(amplificationObligations(nothing), [])
  assert.deepEqual(concurrencyObligations(nothing), [])
  const services = path.services.map((service) => ({ ...service, maxInFlight: 0 }))
  const idle = { ...path, services, entries: [{ service: 'web', peakPerS: 0 }] }
  for (const verdict of await prove(concurrencyObligations(idle))) assertProven(verdict)
  const nan = await proveAll({ ...path, maxAmplification: Number.NaN })
  assertUnproven(nan.get('retries below web'), /is NaN/)
})

test('on paths at random the bound is exactly the product of the tries', async () => {
  const obligations = Array.from({ length: 40 }, (_, seed) => {
    const random = seededRandom(seed)
    const edges = Array.from({ length: 1 + Math.floor(random() * 8) }, (__, index): CallPlan => {
      return { from: `s${index}`, to: `s${index + 1}`, attempts: 1 + Math.floor(random() * 4) }
    })
    const services = Array.from({ length: edges.length + 1 }, (__, index) => ({ name: `s${index}` }))
    const product = edges.reduce((all, { attempts = 1 }) => all * attempts, 1)
    const plan = { services, edges, entries: [{ service: 's0' }] }
    const bounds = [product, product - 0.001]
    return bounds.flatMap((maxAmplification) => amplificationObligations({ ...plan, maxAmplification }))
  }).flat()
  const verdicts = await prove(obligations)
  verdicts.forEach(({ status }, index) => {
    assert.equal(status, index % 2 === 0 ? 'proven' : 'refuted', `seed ${Math.floor(index / 2)}`)
  })
})
