import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Code } from '@connectrpc/connect'
import { ApprovalState, AuthorizationOutcome, Autonomy } from '../gen/nexus/governor/v1/warrant_pb.ts'
import {
  evidenceOf,
  governorFor,
  OwnedClock,
  refusedWith,
  startGovernor,
  temporaryFolder,
  verdictOn,
} from './testing.ts'

const { PERMITTED, REFUSED, AWAITING_APPROVAL } = AuthorizationOutcome

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
