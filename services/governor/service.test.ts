import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import {
  ApprovalState,
  AuthorizationOutcome,
  Autonomy,
  type ChangeEvidence,
} from '../gen/nexus/governor/v1/warrant_pb.ts'
import { verifyWarrant } from '../platform/warrant/verify.ts'
import {
  evidenceOf,
  lowRisk,
  OwnedClock,
  startGovernor,
  type TestGovernor,
  temporaryFolder,
} from './testing.ts'

const { PERMITTED, REFUSED, AWAITING_APPROVAL } = AuthorizationOutcome

async function governorFor(
  t: TestContext,
  options: { clock?: OwnedClock; env?: Record<string, string>; folder?: string } = {},
) {
  const { clock = new OwnedClock(), folder = temporaryFolder(t), env } = options
  const governor = await startGovernor({ folder, clock, env })
  t.after(() => governor.stop())
  return { ...governor, clock }
}

function verdictOn(
  governor: TestGovernor,
  envelope: string,
  evidence: ChangeEvidence,
  nowMs: number,
  action?: 'commit' | 'deploy',
) {
  const publicKey = readFileSync(path.join(governor.folder, 'keys', 'warrant.pub'), 'utf8')
  const { changeId, target, tree, baseCommit, digest } = evidence
  return verifyWarrant(envelope, {
    publicKeys: [publicKey],
    nowMs,
    expected: { changeId, target, tree, baseCommit, digest, action },
  })
}

const refusedWith = (code: Code, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConnectError)
  assert.equal(Code[error.code], Code[code])
  assert.match(error.rawMessage, words)
  return true
}

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

test('without a word on autonomy a person is asked, and the yes gives a warrant that names them', async (t) => {
  const governor = await governorFor(t)
  const { client } = governor
  const evidence = evidenceOf()
  const asked = await client.authorize({ evidence })
  assert.equal(asked.outcome, AWAITING_APPROVAL)
  assert.equal(asked.warrant, undefined)
  assert.equal(asked.approval?.state, ApprovalState.PENDING)
  const approvalId = asked.approval?.id ?? ''
  const again = await client.authorize({ evidence })
  assert.equal(again.approval?.id, approvalId)
  const { approval } = await client.decideApproval({
    approvalId,
    digest: evidence.digest,
    approve: true,
    approver: 'alice',
    comment: 'read it',
  })
  assert.equal(approval?.state, ApprovalState.APPROVED)
  const permitted = await client.authorize({ evidence })
  assert.equal(permitted.outcome, PERMITTED)
  assert.match(permitted.reasons.join(), /approved by alice: read it/)
  const verdict = verdictOn(governor, permitted.warrant?.envelope ?? '', evidence, governor.clock.ms)
  assert.ok(verdict.ok)
  assert.equal(verdict.statement.approvedBy, 'alice')
  assert.equal(verdict.statement.approvalId, approvalId)
})

test('an approval signs what the person has read, whatever comes with the next request', async (t) => {
  const governor = await governorFor(t)
  const { client } = governor
  const read = evidenceOf()
  const asked = await client.authorize({ evidence: read })
  await client.decideApproval({
    approvalId: asked.approval?.id,
    digest: read.digest,
    approve: true,
    approver: 'alice',
  })
  const embellished = evidenceOf({ effectHigh: -0.99 })
  const { warrant } = await client.authorize({ evidence: embellished })
  const verdict = verdictOn(governor, warrant?.envelope ?? '', read, governor.clock.ms)
  assert.ok(verdict.ok)
  assert.equal(verdict.statement.evidence.effectHigh, read.effectHigh)
})

test('a no is a no for this digest, however often and with whatever autonomy it is asked again', async (t) => {
  const { client, clock } = await governorFor(t)
  const evidence = evidenceOf()
  const { approval } = await client.authorize({ evidence })
  await client.decideApproval({
    approvalId: approval?.id,
    digest: evidence.digest,
    approve: false,
    approver: 'bob',
    comment: 'not on a Friday',
  })
  for (const autonomy of [Autonomy.APPROVE, Autonomy.AUTO]) {
    const answer = await client.authorize({ evidence, autonomy })
    assert.equal(answer.outcome, REFUSED)
    assert.match(answer.reasons.join(), /denied by bob: not on a Friday/)
    clock.advance(86_400)
  }
})

test('silence becomes no at the end of the term, and a clock that goes back does not undo it', async (t) => {
  const { client, clock } = await governorFor(t)
  const evidence = evidenceOf()
  const { approval } = await client.authorize({ evidence })
  clock.advance(3_599)
  assert.equal((await client.authorize({ evidence })).outcome, AWAITING_APPROVAL)
  clock.advance(1)
  const answer = await client.authorize({ evidence })
  assert.equal(answer.outcome, REFUSED)
  assert.match(answer.reasons.join(), /nobody approved it until 2026-11-22T13:00:00.000Z/)
  clock.advance(-3_000)
  assert.equal((await client.authorize({ evidence })).outcome, REFUSED)
  await assert.rejects(
    client.decideApproval({
      approvalId: approval?.id,
      digest: evidence.digest,
      approve: true,
      approver: 'alice',
    }),
    refusedWith(Code.FailedPrecondition, /expired/),
  )
})

test('a decision that comes too late is refused, and has ended the question', async (t) => {
  const { client, clock } = await governorFor(t, { env: { NEXUS_APPROVAL_TTL_SECONDS: '5' } })
  const evidence = evidenceOf()
  const { approval } = await client.authorize({ evidence })
  clock.advance(5)
  const late = { approvalId: approval?.id, digest: evidence.digest, approve: true, approver: 'alice' }
  await assert.rejects(client.decideApproval(late), refusedWith(Code.FailedPrecondition, /expired at/))
  clock.advance(-5)
  const { approvals } = await client.listApprovals({ state: ApprovalState.EXPIRED })
  assert.deepEqual(
    approvals.map(({ id }) => id),
    [approval?.id],
  )
})

test('a yes that is not used in time can no longer be used', async (t) => {
  const { client, clock } = await governorFor(t, { env: { NEXUS_APPROVAL_TTL_SECONDS: '60' } })
  const evidence = evidenceOf()
  const { approval } = await client.authorize({ evidence })
  await client.decideApproval({
    approvalId: approval?.id,
    digest: evidence.digest,
    approve: true,
    approver: 'alice',
  })
  clock.advance(60)
  const answer = await client.authorize({ evidence })
  assert.equal(answer.outcome, REFUSED)
  assert.match(answer.reasons.join(), /ended at .* before it was used/)
})

test('a decision is bound to the digest, is taken once, and may be repeated by whoever took it', async (t) => {
  const { client } = await governorFor(t)
  const evidence = evidenceOf()
  const { approval } = await client.authorize({ evidence })
  const yes = { approvalId: approval?.id, digest: evidence.digest, approve: true, approver: 'alice' }
  await assert.rejects(
    client.decideApproval({ ...yes, digest: '9'.repeat(64) }),
    refusedWith(Code.FailedPrecondition, /is about digest/),
  )
  await client.decideApproval(yes)
  assert.equal((await client.decideApproval(yes)).approval?.decidedBy, 'alice')
  await assert.rejects(
    client.decideApproval({ ...yes, approver: 'bob' }),
    refusedWith(Code.FailedPrecondition, /approved by alice already/),
  )
  await assert.rejects(
    client.decideApproval({ ...yes, approve: false }),
    refusedWith(Code.FailedPrecondition, /already/),
  )
  await assert.rejects(
    client.decideApproval({ ...yes, approvalId: 'none' }),
    refusedWith(Code.NotFound, /none/),
  )
})

test('who approves is a person: neither NEXUS under any of its names nor nobody', async (t) => {
  const { client } = await governorFor(t)
  const evidence = evidenceOf()
  const { approval } = await client.authorize({ evidence })
  const yes = { approvalId: approval?.id, digest: evidence.digest, approve: true }
  for (const approver of [
    'nexus',
    'NEXUS:meta-controller',
    'nexus:governor',
    'meta-controller',
    'Governor',
    'spiffe://cluster/ns/nexus',
  ]) {
    await assert.rejects(
      client.decideApproval({ ...yes, approver }),
      refusedWith(Code.PermissionDenied, /person/),
      approver,
    )
  }
  await assert.rejects(client.decideApproval(yes), refusedWith(Code.InvalidArgument, /name who decides/))
  await assert.rejects(
    client.decideApproval({ ...yes, approver: ' nexus' }),
    refusedWith(Code.InvalidArgument, /plain name/),
  )
})

test('behind the gateway its consumer decides, and nobody else’s name is accepted', async (t) => {
  const { client } = await governorFor(t)
  const evidence = evidenceOf()
  const { approval } = await client.authorize({ evidence })
  const yes = { approvalId: approval?.id, digest: evidence.digest, approve: true }
  const as = (consumer: string) => ({ headers: { 'x-consumer-username': consumer } })
  await assert.rejects(
    client.decideApproval({ ...yes, approver: 'alice' }, as('mallory')),
    refusedWith(Code.PermissionDenied, /authenticated mallory/),
  )
  await assert.rejects(
    client.decideApproval(yes, as('nexus:console')),
    refusedWith(Code.PermissionDenied, /person/),
  )
  assert.equal((await client.decideApproval(yes, as('alice'))).approval?.decidedBy, 'alice')
})

test('two answers at the same moment: one counts', async (t) => {
  const { client } = await governorFor(t)
  const evidence = evidenceOf()
  const { approval } = await client.authorize({ evidence })
  const answers = ['alice', 'bob', 'carol'].map((approver, index) =>
    client.decideApproval({
      approvalId: approval?.id,
      digest: evidence.digest,
      approve: index % 2 === 0,
      approver,
    }),
  )
  const results = await Promise.allSettled(answers)
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('approvals outlive a restart and are listed newest first', async (t) => {
  const folder = temporaryFolder(t)
  const clock = new OwnedClock()
  const first = await startGovernor({ folder, clock })
  t.after(() => first.stop())
  const ids: string[] = []
  for (const digit of ['4', '5', '6']) {
    const { approval } = await first.client.authorize({
      evidence: evidenceOf({ changeId: `chg-${digit}`, digest: digit.repeat(64) }),
    })
    ids.unshift(approval?.id ?? '')
    clock.advance(1)
  }
  await first.client.decideApproval({
    approvalId: ids[1],
    digest: '5'.repeat(64),
    approve: true,
    approver: 'alice',
  })
  await first.stop()
  const { client } = await governorFor(t, { folder, clock })
  assert.deepEqual(
    (await client.listApprovals({})).approvals.map(({ id }) => id),
    ids,
  )
  const pending = await client.listApprovals({ state: ApprovalState.PENDING })
  assert.deepEqual(
    pending.approvals.map(({ id }) => id),
    [ids[0], ids[2]],
  )
  assert.equal((await client.listApprovals({ pageSize: 1 })).approvals.length, 1)
  const permitted = await client.authorize({
    evidence: evidenceOf({ changeId: 'chg-5', digest: '5'.repeat(64) }),
  })
  assert.equal(permitted.outcome, PERMITTED)
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

test('an approval is judged again by the policy in force when it is used', async (t) => {
  const folder = temporaryFolder(t)
  const clock = new OwnedClock()
  const evidence = evidenceOf()
  const first = await startGovernor({ folder, clock })
  t.after(() => first.stop())
  const { approval } = await first.client.authorize({ evidence })
  await first.client.decideApproval({
    approvalId: approval?.id,
    digest: evidence.digest,
    approve: true,
    approver: 'alice',
  })
  await first.stop()
  const policyFile = path.join(folder, 'frozen.cedar')
  writeFileSync(
    policyFile,
    '@id("freeze") @reason("changes are frozen") forbid (principal, action, resource);',
  )
  const { client } = await governorFor(t, { folder, clock, env: { NEXUS_POLICY_FILE: policyFile } })
  const answer = await client.authorize({ evidence })
  assert.equal(answer.outcome, REFUSED)
  assert.match(answer.reasons.join(), /freeze: changes are frozen/)
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
