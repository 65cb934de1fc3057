import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseTier } from './choose.ts'
import { type Execution, refusedVerdict, type Tier } from './execution.ts'
import type { Runner } from './runner.ts'
import { execution } from './testing.sandbox.ts'

function runner(tier: Tier, fields: Partial<Runner> & { available?: boolean } = {}): Runner {
  const { available = true, ...rest } = fields
  return {
    capability: { tier, available, remark: `remark on ${tier}`, loopback: true, memoryOfAll: true },
    countsAs: tier,
    declines: () => '',
    run: async () => refusedVerdict(tier, ''),
    close: async () => undefined,
    ...rest,
  }
}

const all = [runner('docker'), runner('bubblewrap'), runner('unshare'), runner('host')]
const ask = (fields: Partial<Execution>) => execution({ command: ['node'], ...fields })

test('the strongest tier serves, also a request that would take less', () => {
  assert.equal(chooseTier(ask({ leastTier: 'host' }), all, true).runner?.capability.tier, 'docker')
})

test('a tier that cannot run the program is passed over', () => {
  const [, ...weaker] = all
  const docker = runner('docker', { declines: () => 'has only node' })
  assert.equal(
    chooseTier(ask({ command: ['sh'] }), [docker, ...weaker], true).runner?.capability.tier,
    'bubblewrap',
  )
})

test('an engine with known ways out does not count as Docker', () => {
  const old = [runner('docker', { countsAs: 'bubblewrap' })]
  assert.match(chooseTier(ask({ leastTier: 'docker' }), old, true).refusal ?? '', /counts as bubblewrap here/)
  assert.equal(chooseTier(ask({ leastTier: 'bubblewrap' }), old, true).runner?.capability.tier, 'docker')
})

test('the host serves only the target’s own code, only where allowed, only when asked for', () => {
  const host = [runner('host')]
  const own = ask({ leastTier: 'host', trust: 'target-own' })
  assert.equal(chooseTier(own, host, true).runner?.capability.tier, 'host')
  assert.match(chooseTier(own, host, false).refusal ?? '', /not allowed/)
  assert.match(chooseTier({ ...own, trust: 'untrusted' }, host, true).refusal ?? '', /serves only/)
  assert.match(chooseTier({ ...own, leastTier: 'unshare' }, host, true).refusal ?? '', /at least unshare/)
})

test('a refusal tells of every tier why not', () => {
  const none = [runner('docker', { available: false }), runner('bubblewrap', { available: false })]
  const { refusal } = chooseTier(ask({ leastTier: 'bubblewrap' }), none, true)
  assert.match(refusal ?? '', /docker: remark on docker — bubblewrap: remark on bubblewrap/)
})
