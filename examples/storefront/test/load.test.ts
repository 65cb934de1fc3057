import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runLoad } from '../load/load.ts'
import { planCalls, usualTraffic } from '../load/traffic.ts'
import { seededRandom } from '../src/random.ts'
import { openShop, promptSupplier } from './shop.ts'

const plannedCalls = 6_000

function plan(seed: number) {
  const next = planCalls(usualTraffic, seededRandom(seed))
  return Array.from({ length: plannedCalls }, next)
}

test('the same seed plans the same calls, another seed others', () => {
  assert.deepEqual(plan(3), plan(3))
  assert.notDeepEqual(plan(3), plan(4))
})

test('the planned calls keep to the shares of the traffic', () => {
  const calls = plan(5)
  for (const [rpc, share] of Object.entries(usualTraffic.shares)) {
    const planned = calls.filter((call) => call.rpc === rpc).length / plannedCalls
    assert.ok(Math.abs(planned - share) < 0.015, `${rpc}: ${planned}`)
  }
  const baskets = calls
    .filter((call) => call.rpc === 'CheckStock')
    .map((call) => (call.request as { lines: [] }).lines)
  const large = baskets.filter((lines) => lines.length >= 180).length / baskets.length
  assert.ok(Math.abs(large - usualTraffic.largeBasketShare) < 0.015, `large: ${large}`)
})

test('a load sends at its rate and reports what came back', async () => {
  const shop = await openShop(promptSupplier)
  const lines: { calls: number; errors: object; final: boolean }[] = []
  const options = { address: shop.address, ratePerSecond: 100, seed: 1, seconds: 0.6 }
  await runLoad({
    ...options,
    signal: new AbortController().signal,
    report: (line) => lines.push(line as never),
  })
  await shop.close()
  const last = lines.at(-1)!
  assert.equal(last.final, true)
  assert.deepEqual(last.errors, {})
  assert.ok(last.calls > 30 && last.calls < 100, `${last.calls} calls`)
})

test('a load ends when it is told to', async () => {
  const shop = await openShop(promptSupplier)
  const stopping = new AbortController()
  const options = { address: shop.address, ratePerSecond: 50, seed: 1, signal: stopping.signal }
  const load = runLoad({ ...options, report: () => {} })
  stopping.abort()
  await load
  await shop.close()
})
