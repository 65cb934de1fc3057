import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Code } from '@connectrpc/connect'
import { AuthorizationOutcome, Autonomy } from '../gen/nexus/governor/v1/warrant_pb.ts'
import {
  evidenceOf,
  governorFor,
  lowRisk,
  OwnedClock,
  refusedWith,
  startGovernor,
  temporaryFolder,
  verdictOn,
} from './testing.ts'

const { PERMITTED, REFUSED } = AuthorizationOutcome

test('a small recipe under autonomy auto gets a warrant that holds for exactly this change', async (t) => {
  const governor = await governorFor(t)
  const evidence = evidenceOf()
  const answer = await governor.client.authorize({ evidence, autonomy: Autonomy.AUTO })
  assert.equal(answer.outcome, PERMITTED)
  assert.match(answer.reasons.join(), /low-risk-recipe/)
  const envelope = answer.warrant?.envelope ?? ''
  const verdict = verdictOn(governor, envelope, evidence, governor.clock.ms)
  assert.ok(verdict.ok, JSON.stringify(verdict))
  assert.deepEqual(verdict.statement.evidence, evidence)
  assert.equal(verdict.statement.policyDigest, answer.policyDigest)
  assert.equal(
    verdictOn(governor, envelope, evidenceOf({ digest: '4'.repeat(64) }), governor.clock.ms).ok,
    false,
  )
  assert.equal(verdictOn(governor, envelope, evidence, governor.clock.ms + 1_800_000).ok, false)
})

test('asked again, the authority gives the same warrant, also after a restart', async (t) => {
  const folder = temporaryFolder(t)
  const clock = new OwnedClock()
  const first = await startGovernor({ folder, clock })
  t.after(() => first.stop())
  const request = { evidence: evidenceOf(), autonomy: Autonomy.AUTO }
  const { warrant } = await first.client.authorize(request)
  assert.equal((await first.client.authorize(request)).warrant?.envelope, warrant?.envelope)
  await first.stop()
  clock.advance(60)
  const second = await governorFor(t, { folder, clock })
  const again = await second.client.authorize(request)
  assert.equal(again.warrant?.envelope, warrant?.envelope)
  assert.deepEqual(again.warrant?.expiresAt, warrant?.expiresAt)
})

test('asked twenty times at once, the authority judges once', async (t) => {
  const { client, registry } = await governorFor(t)
  const request = { evidence: evidenceOf(), autonomy: Autonomy.AUTO }
  const answers = await Promise.all(Array.from({ length: 20 }, () => client.authorize(request)))
  assert.equal(new Set(answers.map(({ warrant }) => warrant?.envelope)).size, 1)
  assert.match(await registry.metrics(), /nexus_authorizations_total\{outcome="permitted"\} 1\n/)
})

test('another digest of the same change is another authorization, and the old warrant stays bound to the old digest', async (t) => {
  const governor = await governorFor(t)
  const [before, after] = [evidenceOf(), evidenceOf({ digest: '4'.repeat(64), tree: '5'.repeat(40) })]
  const first = await governor.client.authorize({ evidence: before, autonomy: Autonomy.AUTO })
  const second = await governor.client.authorize({ evidence: after, autonomy: Autonomy.AUTO })
  assert.notEqual(first.warrant?.envelope, second.warrant?.envelope)
  assert.equal(verdictOn(governor, first.warrant?.envelope ?? '', after, governor.clock.ms).ok, false)
  assert.ok(verdictOn(governor, second.warrant?.envelope ?? '', after, governor.clock.ms).ok)
})

test('another tree under the digest that was judged is refused', async (t) => {
  const { client } = await governorFor(t)
  await client.authorize({ evidence: evidenceOf(), autonomy: Autonomy.AUTO })
  const other = evidenceOf({ tree: '9'.repeat(40) })
  await assert.rejects(
    client.authorize({ evidence: other, autonomy: Autonomy.AUTO }),
    refusedWith(Code.FailedPrecondition, /another target, tree/),
  )
})

test('risk that was computed anew does not change a judgement', async (t) => {
  const { client } = await governorFor(t)
  const first = await client.authorize({ evidence: evidenceOf(), autonomy: Autonomy.AUTO })
  const anew = evidenceOf({ effectLow: -0.5 })
  const second = await client.authorize({ evidence: anew, autonomy: Autonomy.AUTO })
  assert.equal(second.warrant?.envelope, first.warrant?.envelope)
})

test('a warrant that has ended is judged anew', async (t) => {
  const { client, clock } = await governorFor(t, { env: { NEXUS_WARRANT_TTL_SECONDS: '10' } })
  const request = { evidence: evidenceOf(), autonomy: Autonomy.AUTO }
  const first = await client.authorize(request)
  clock.advance(10)
  const second = await client.authorize(request)
  assert.equal(second.outcome, PERMITTED)
  assert.notEqual(second.warrant?.envelope, first.warrant?.envelope)
})

test('autonomy propose gives a warrant to commit and none to deploy', async (t) => {
  const governor = await governorFor(t)
  const evidence = evidenceOf()
  const { outcome, warrant } = await governor.client.authorize({ evidence, autonomy: Autonomy.PROPOSE })
  assert.equal(outcome, PERMITTED)
  const allows = (action: 'commit' | 'deploy') =>
    verdictOn(governor, warrant?.envelope ?? '', evidence, governor.clock.ms, action).ok
  assert.equal(allows('commit'), true)
  assert.equal(allows('deploy'), false)
})

test('a refusal of a policy is judged anew when another policy is in force, a person’s no is not', async (t) => {
  const folder = temporaryFolder(t)
  const clock = new OwnedClock()
  const risky = evidenceOf({ changeId: 'risky', risk: { ...lowRisk, score: 90 } })
  const denied = evidenceOf({ changeId: 'denied' })
  const first = await startGovernor({ folder, clock })
  t.after(() => first.stop())
  assert.equal((await first.client.authorize({ evidence: risky, autonomy: Autonomy.AUTO })).outcome, REFUSED)
  const { approval } = await first.client.authorize({ evidence: denied })
  await first.client.decideApproval({
    approvalId: approval?.id,
    digest: denied.digest,
    approve: false,
    approver: 'bob',
  })
  await first.client.authorize({ evidence: denied })
  await first.stop()
  const policyFile = path.join(folder, 'lenient.cedar')
  writeFileSync(policyFile, '@id("all") @reason("this is a test") permit (principal, action, resource);')
  const { client } = await governorFor(t, { folder, clock, env: { NEXUS_POLICY_FILE: policyFile } })
  const permitted = await client.authorize({ evidence: risky, autonomy: Autonomy.AUTO })
  assert.equal(permitted.outcome, PERMITTED)
  assert.match(permitted.reasons.join(), /permitted by all: this is a test/)
  assert.equal((await client.authorize({ evidence: denied, autonomy: Autonomy.AUTO })).outcome, REFUSED)
})

test('evidence that is out of bounds is refused, naming the field', async (t) => {
  const { client } = await governorFor(t)
  const autonomy = Autonomy.AUTO
  await assert.rejects(
    client.authorize({ evidence: evidenceOf({ tree: 'xyz' }), autonomy }),
    refusedWith(Code.InvalidArgument, /tree/),
  )
  await assert.rejects(
    client.authorize({ evidence: evidenceOf({ changeId: '../up' }), autonomy }),
    refusedWith(Code.InvalidArgument, /change_id/),
  )
  await assert.rejects(client.authorize({ autonomy }), refusedWith(Code.InvalidArgument, /evidence/))
  const huge = evidenceOf({
    paths: Array.from({ length: 64 }, (_, index) => `src/${index}-${'ä'.repeat(900)}.ts`),
  })
  await assert.rejects(
    client.authorize({ evidence: huge, autonomy }),
    refusedWith(Code.InvalidArgument, /bytes as JSON/),
  )
})

test('the authority shows its public key, its id and its policy, and keeps the private key to its owner', async (t) => {
  const governor = await governorFor(t)
  const authority = await governor.client.getAuthority({})
  assert.equal(authority.publicKey, readFileSync(path.join(governor.folder, 'keys', 'warrant.pub'), 'utf8'))
  assert.match(authority.keyId, /^[0-9a-f]{64}$/)
  assert.match(authority.policy, /@id\("checks-passed"\)/)
  assert.equal(statSync(path.join(governor.folder, 'keys', 'warrant.key')).mode & 0o777, 0o600)
})

test('a policy that does not hold together stops the start and names file and line', async (t) => {
  const folder = temporaryFolder(t)
  const policyFile = path.join(folder, 'wrong.cedar')
  writeFileSync(
    policyFile,
    '// ä: bytes are not letters\n@id("a")\npermit (principal, action, resource)\nwhen { context.chekcs_passed };\n',
  )
  const starting = startGovernor({ folder, clock: new OwnedClock(), env: { NEXUS_POLICY_FILE: policyFile } })
  await assert.rejects(starting, { name: 'PolicyError', message: /wrong\.cedar:4: .*chekcs_passed/ })
  const missing = startGovernor({
    folder,
    clock: new OwnedClock(),
    env: { NEXUS_POLICY_FILE: `${policyFile}.not` },
  })
  await assert.rejects(missing, { name: 'PolicyError', message: /cannot be read.*NEXUS_POLICY_FILE/ })
})
