import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideByRules, rulesJudge, type ServiceSeen } from './rules.ts'

const seen = (service: string, errors = 0, p99Ms = 100): ServiceSeen => ({
  service,
  requests: 1000,
  errors,
  p99Ms,
})
const calls = [
  { caller: 'shop', service: 'cart' },
  { caller: 'cart', service: 'stock' },
]
const options = [
  { kind: 'add_retry', service: 'shop', callee: 'cart' },
  { kind: 'add_retry', service: 'cart', callee: 'stock' },
  { kind: 'add_timeout', service: 'cart', callee: 'stock' },
  { kind: 'enable_caching', service: 'cart' },
]

test('the rules leave alone what is within its thresholds, and what has no traffic', () => {
  const services = [seen('shop', 10, 500), { service: 'cart', requests: 0, errors: 0, p99Ms: 0 }]
  assert.equal(decideByRules({ services, calls, options }).option, undefined)
})

test('the rules retry calls to the deepest service that fails', () => {
  const services = [seen('shop', 40), seen('cart', 40), seen('stock', 30)]
  const decision = decideByRules({ services, calls, options })
  assert.equal(decision.suspect, 'stock')
  assert.deepEqual(decision.option, options[1])
  assert.match(decision.reason, /97\.00 %/)
})

test('the rules cache what is slow, or cut it off where it cannot be cached', () => {
  const slowCart = [seen('shop', 0, 900), seen('cart', 0, 800), seen('stock', 0, 100)]
  assert.deepEqual(decideByRules({ services: slowCart, calls, options }).option, options[3])
  const slowStock = [seen('shop', 0, 900), seen('cart', 0, 800), seen('stock', 0, 700)]
  assert.deepEqual(decideByRules({ services: slowStock, calls, options }).option, options[2])
})

test('the rules say whom they suspect where they have no remedy, also in a cycle of calls', () => {
  const services = [seen('shop', 0, 900), seen('cart', 0, 800)]
  const cycle = [...calls, { caller: 'cart', service: 'shop' }]
  const decision = decideByRules({ services, calls: cycle, options: [] })
  assert.equal(decision.option, undefined)
  assert.equal(decision.suspect, 'shop')
})

test("the rules' own canary is aborted at the third minute that is too slow", () => {
  const judge = rulesJudge()
  const window = {
    canary: { requests: 100, errors: 0, p99Ms: 501 },
    stable: { requests: 1, errors: 0 },
    seconds: 60,
  }
  assert.deepEqual(
    [1, 2, 3].map(() => judge.observe(window)),
    ['continue', 'continue', 'abort'],
  )
})
