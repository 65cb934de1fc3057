import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Client, Code } from '@connectrpc/connect'
import { Registry } from 'prom-client'
import { ChangeState } from '../gen/nexus/code_modifier/v1/change_pb.ts'
import type { CodeModifierService } from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { findProgram } from '../platform/programs.testing.ts'
import { commitFiles } from '../platform/target/origin.testing.ts'
import { moveBranch } from '../platform/target/refs.ts'
import { silentLog } from '../platform/testing.ts'
import { maxEnvelopeLength } from '../platform/warrant/dsse.ts'
import { forgeries, statementFor, validWarrant } from '../platform/warrant/forgeries.testing.ts'
import { signWarrant } from '../platform/warrant/sign.ts'
import { digestOfProposal, type Proposal } from './change.ts'
import {
  type Bench,
  branchesOf,
  changedFiles,
  commitsOf,
  evidenceOf,
  failsWith,
  fileAt,
  makeBench,
  worldOf,
} from './changes.testing.ts'
import { createEvents } from './events.ts'
import { type CommitToWrite, writeSignedCommit } from './git/commit.ts'
import { openCommitSigner } from './git/signature.ts'
import { writeChangedTree } from './git/tree.ts'

const id = 'c-0123456789abcdef'

interface Served extends Bench {
  readonly client: Client<typeof CodeModifierService>
}

async function served(t: TestContext, files?: Readonly<Record<string, string>>): Promise<Served> {
  const bench = await makeBench(t, { files })
  return { ...bench, client: await bench.serve(bench.changesOn(bench.journal)) }
}

test('a change is committed, promoted and reverted, each once however often it is asked', async (t) => {
  const { client, propose, warrantFor, gitdir } = await served(t)
  const proposal = await propose(id)
  const warrant = warrantFor(proposal)
  const ask = { changeId: id, warrant }
  const committed = (await client.commitChange(ask)).change!
  assert.equal(committed.state, ChangeState.COMMITTED)
  assert.deepEqual((await client.commitChange(ask)).change, committed)
  assert.deepEqual(await branchesOf(gitdir), { main: proposal.base, [`nexus/${id}`]: committed.commit })
  const promoted = (await client.promoteChange(ask)).change!
  assert.equal(promoted.state, ChangeState.PROMOTED)
  assert.deepEqual((await client.promoteChange(ask)).change, promoted)
  assert.deepEqual((await client.commitChange(ask)).change, promoted)
  assert.equal((await branchesOf(gitdir)).main, committed.commit)
  const reverted = (await client.revertChange({ changeId: id, reason: 'errors' })).change!
  assert.equal(reverted.state, ChangeState.REVERTED)
  assert.deepEqual((await client.revertChange({ changeId: id, reason: 'again' })).change, reverted)
  assert.deepEqual(await branchesOf(gitdir), {
    main: reverted.revertCommit,
    [`nexus/${id}`]: reverted.revertCommit,
  })
  await assert.rejects(client.promoteChange(ask), failsWith(Code.FailedPrecondition, /was reverted/))
  const own = (await commitsOf(gitdir)).filter(({ message }) => message.includes(`Nexus-Change-Id: ${id}`))
  assert.equal(own.length, 2, 'the commit and its revert')
})

test('calls that come at the same time make one commit', async (t) => {
  const { client, propose, warrantFor, gitdir } = await served(t)
  const ask = { changeId: id, warrant: warrantFor(await propose(id)) }
  const replies = await Promise.all(Array.from({ length: 5 }, () => client.commitChange(ask)))
  assert.equal(new Set(replies.map(({ change }) => change?.commit)).size, 1)
  const own = (await commitsOf(gitdir)).filter(({ message }) => message.includes(`Nexus-Change-Id: ${id}`))
  assert.equal(own.length, 1)
})

test('no forgery commits or promotes a change, and nothing is touched', async (t) => {
  const bench = await served(t)
  const proposed = await bench.propose(id)
  const other = await bench.propose('c-fedcba9876543210')
  await bench.client.commitChange({ changeId: other.id, warrant: bench.warrantFor(other) })
  const before = await worldOf(bench)
  for (const { name, envelope, reason } of forgeries) {
    await t.test(name, async () => {
      const commit = { changeId: id, warrant: { envelope: envelope(bench.kitFor(proposed)) } }
      const promote = { changeId: other.id, warrant: { envelope: envelope(bench.kitFor(other)) } }
      // An envelope above the contract's bound does not even come to the verifier.
      const tooLong = commit.warrant.envelope.length > maxEnvelopeLength
      const refused = tooLong
        ? failsWith(Code.InvalidArgument, /warrant\.envelope/)
        : failsWith(Code.PermissionDenied, reason)
      await assert.rejects(bench.client.commitChange(commit), refused)
      await assert.rejects(bench.client.promoteChange(promote), refused)
      assert.deepEqual(await worldOf(bench), before)
    })
  }
  await assert.rejects(
    bench.client.commitChange({ changeId: id }),
    failsWith(Code.PermissionDenied, /there is none/),
  )
  assert.deepEqual(await worldOf(bench), before)
})

test('a warrant to commit alone does not promote', async (t) => {
  const { client, propose, kitFor, warrantFor } = await served(t)
  const proposal = await propose(id)
  const { key, evidence, nowMs } = kitFor(proposal)
  const envelope = signWarrant({ ...statementFor(evidence, nowMs), permits: ['commit'] }, key)
  await client.commitChange({ changeId: id, warrant: { envelope } })
  await assert.rejects(
    client.promoteChange({ changeId: id, warrant: { envelope } }),
    failsWith(Code.PermissionDenied, /it permits to commit, not to deploy/),
  )
  await client.promoteChange({ changeId: id, warrant: warrantFor(proposal) })
})

const tampered: readonly { name: string; change: Partial<Proposal> }[] = [
  { name: 'a check that failed is told as passed', change: { checks: [] } },
  { name: 'a finding is gone', change: { findings: [] } },
  { name: 'the target branch is another', change: { targetBranch: 'release' } },
  { name: 'the author is another', change: { authorDetail: 'add_timeout@1' } },
  { name: 'the benchmark is better', change: { profileShare: 0.9 } },
  { name: 'the diff shows something else', change: { diff: '' } },
]

for (const { name, change } of tampered) {
  test(`evidence that was changed in the journal is refused: ${name}`, async (t) => {
    const bench = await served(t)
    const { propose, kitFor, client } = bench
    const honest = {
      checks: [{ name: 'tests-after', passed: false, detail: '1 failed', durationMs: 1, tier: 'host' }],
      findings: [{ rule: 'r', severity: 'blocking' as const, path: 'src/price.ts', line: 1, message: 'm' }],
    }
    // The digest is that of the honest evidence, as the governor saw it.
    const judged = await propose('c-judged', honest)
    const { digest: _, ...evidence } = { ...judged, id }
    const digest = digestOfProposal(evidence)
    const stored = await propose(id, { ...honest, ...change, digest })
    const envelope = validWarrant({ ...kitFor(stored), evidence: evidenceOf({ ...evidence, digest }) })
    const before = await worldOf(bench)
    await assert.rejects(
      client.commitChange({ changeId: id, warrant: { envelope } }),
      failsWith(Code.PermissionDenied, /the evidence is not what was digested/),
    )
    assert.deepEqual(await worldOf(bench), before)
  })
}

test('a tree that was exchanged in the journal together with its digest is refused', async (t) => {
  const { propose, warrantFor, gitdir, client } = await served(t)
  const judged = await propose('c-judged')
  const evil = [{ path: 'src/price.ts', content: Buffer.from('evil()\n') }]
  const tree = await writeChangedTree(gitdir, judged.base, evil)
  await propose(id, { tree })
  await assert.rejects(
    client.commitChange({ changeId: id, warrant: warrantFor({ ...judged, id }) }),
    failsWith(Code.PermissionDenied, /it is for tree/),
  )
})

test('a change whose base has moved is not committed', async (t) => {
  const { client, propose, warrantFor, originPath, gitdir } = await served(t)
  const warrant = warrantFor(await propose(id))
  const head = await commitFiles(originPath, { 'src/stock.ts': 'export const stock = 3\n' }, 'Go on')
  await client.inspectTarget({ target: 'shop' })
  await assert.rejects(
    client.commitChange({ changeId: id, warrant }),
    failsWith(Code.FailedPrecondition, /main has moved to [0-9a-f]{10} .*propose it anew/),
  )
  assert.deepEqual(await branchesOf(gitdir), { main: head })
})

test('a change whose target branch has moved since the commit is not promoted', async (t) => {
  const { client, propose, warrantFor, originPath, gitdir } = await served(t)
  const ask = { changeId: id, warrant: warrantFor(await propose(id)) }
  await client.commitChange(ask)
  const head = await commitFiles(originPath, { 'src/stock.ts': 'export const stock = 3\n' }, 'Go on')
  await client.inspectTarget({ target: 'shop' })
  await assert.rejects(client.promoteChange(ask), failsWith(Code.FailedPrecondition, /branch main is at/))
  assert.equal((await branchesOf(gitdir)).main, head)
})

test('a refused change is not committed, and an unknown one is not found', async (t) => {
  const bench = await served(t)
  const { client, propose, warrantFor } = bench
  const refused = await propose(id, { refusal: 'the tests fail' })
  const before = await worldOf(bench)
  const ask = { changeId: id, warrant: warrantFor(refused) }
  await assert.rejects(
    client.commitChange(ask),
    failsWith(Code.FailedPrecondition, /was refused: the tests fail/),
  )
  await assert.rejects(client.promoteChange(ask), failsWith(Code.FailedPrecondition, /is not committed/))
  assert.deepEqual(await worldOf(bench), before)
  assert.equal((await client.getChange({ changeId: id })).change?.state, ChangeState.REFUSED)
  for (const changeId of ['c-none', '../journal', 'a b']) {
    await assert.rejects(client.getChange({ changeId }), failsWith(Code.NotFound, /there is no change/))
    await assert.rejects(client.commitChange({ ...ask, changeId }), failsWith(Code.NotFound, /no change/))
  }
})

test('reverting a change that is not committed changes nothing', async (t) => {
  const bench = await served(t)
  await bench.propose(id)
  const before = await worldOf(bench)
  const { change } = await bench.client.revertChange({ changeId: id, reason: 'no' })
  assert.equal(change?.state, ChangeState.PROPOSED)
  assert.deepEqual(await worldOf(bench), before)
})

test('reverting a commit that was not promoted leaves the target branch alone', async (t) => {
  const { client, propose, warrantFor, gitdir } = await served(t)
  const proposal = await propose(id)
  await client.commitChange({ changeId: id, warrant: warrantFor(proposal) })
  const { change } = await client.revertChange({ changeId: id, reason: 'no' })
  assert.deepEqual(await branchesOf(gitdir), { main: proposal.base, [`nexus/${id}`]: change?.revertCommit })
  assert.equal(await fileAt(gitdir, `nexus/${id}`, 'src/price.ts'), 'export const price = 1\n')
  assert.equal(await fileAt(gitdir, `nexus/${id}`, 'src/deep/memo.ts'), undefined)
})

/** A promoted change, and a commit of the team on top of it. */
async function promotedAndGoneOn(t: TestContext, files: Readonly<Record<string, string>>) {
  const bench = await served(t)
  const { client, propose, warrantFor, gitdir } = bench
  const ask = { changeId: id, warrant: warrantFor(await propose(id)) }
  const { change } = await client.commitChange(ask)
  await client.promoteChange(ask)
  const commit = change!.commit
  const entries = Object.entries(files).map(([name, text]) => ({ path: name, content: Buffer.from(text) }))
  const tree = await writeChangedTree(gitdir, commit, entries)
  const onTop = await commitOnTop(bench, { tree, parent: commit, message: 'Go on' })
  await moveBranch(gitdir, { branch: 'main', from: commit, to: onTop })
  return { ...bench, ask, commit, onTop }
}

async function commitOnTop(
  { folder, gitdir, clock }: Bench,
  commit: Pick<CommitToWrite, 'tree' | 'parent' | 'message'>,
): Promise<string> {
  const team = { name: 'Team', email: 'team@example.test' }
  const signer = openCommitSigner(path.join(folder, 'team-keys'), team.email)
  return writeSignedCommit(gitdir, { ...commit, committer: team, atMs: clock.nowMs() }, signer)
}

test('reverting a promoted change on which others have built restores its files alone', async (t) => {
  const { client, gitdir, onTop } = await promotedAndGoneOn(t, { 'src/stock.ts': 'export const stock = 9\n' })
  const { change } = await client.revertChange({ changeId: id, reason: 'slow' })
  const heads = await branchesOf(gitdir)
  assert.notEqual(heads.main, onTop)
  assert.equal(heads[`nexus/${id}`], change?.revertCommit)
  assert.equal(await fileAt(gitdir, 'main', 'src/price.ts'), 'export const price = 1\n')
  assert.equal(await fileAt(gitdir, 'main', 'src/deep/memo.ts'), undefined)
  assert.equal(await fileAt(gitdir, 'main', 'src/stock.ts'), 'export const stock = 9\n')
  const [head] = (await commitsOf(gitdir)).filter(({ oid }) => oid === heads.main)
  assert.match(head!.message, /^Revert enable_caching: [\s\S]*\nslow\n[\s\S]*Nexus-Reverts: [0-9a-f]{40}/)
})

test('a change whose files were changed again is left to a person, and nothing is half reverted', async (t) => {
  const bench = await promotedAndGoneOn(t, { 'src/price.ts': 'export const price = 7\n' })
  const before = await worldOf(bench)
  await assert.rejects(
    bench.client.revertChange({ changeId: id, reason: 'slow' }),
    failsWith(Code.FailedPrecondition, /src\/price\.ts was changed again on main .*: revert it by hand/),
  )
  assert.deepEqual(await worldOf(bench), before)
})

test('a change that people have undone themselves needs nothing on the target branch', async (t) => {
  const undone = await promotedAndGoneOn(t, { 'src/price.ts': 'export const price = 1\n' })
  const { gitdir, client, onTop } = undone
  const tree = await writeChangedTree(gitdir, onTop, [{ path: 'src/deep/memo.ts', content: null }])
  const clean = await commitOnTop(undone, { tree, parent: onTop, message: 'Undo' })
  await moveBranch(gitdir, { branch: 'main', from: onTop, to: clean })
  const { change } = await client.revertChange({ changeId: id, reason: 'slow' })
  assert.equal(change?.state, ChangeState.REVERTED)
  assert.equal((await branchesOf(gitdir)).main, clean)
})

test('changes are listed newest first, without their diffs', async (t) => {
  const { client, propose, clock } = await served(t)
  await propose('c-old')
  clock.advance(1000)
  await propose('c-new')
  const { changes } = await client.listChanges({})
  assert.deepEqual(
    changes.map((change) => [change.id, change.diff]),
    [
      ['c-new', ''],
      ['c-old', ''],
    ],
  )
  assert.equal((await client.listChanges({ pageSize: 1 })).changes.length, 1)
  assert.notEqual((await client.getChange({ changeId: 'c-old' })).change?.diff, '')
})

test('stock git takes the signatures and trailers of commit and revert, and finds the mirror sound', async (t) => {
  const program = findProgram('git', 'NEXUS_TEST_GIT')
  if (program === undefined) return t.skip('git is not on the PATH')
  const { client, propose, warrantFor, gitdir, dataFolder, folder } = await served(t)
  const proposal = await propose(id)
  const ask = { changeId: id, warrant: warrantFor(proposal) }
  const commit = (await client.commitChange(ask)).change!.commit
  await client.promoteChange(ask)
  const { revertCommit } = (await client.revertChange({ changeId: id, reason: 'two\nlines' })).change!
  const run = (...args: string[]) =>
    execFileSync(program, ['--git-dir', gitdir, ...args], {
      env: { PATH: process.env.PATH, HOME: folder },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  const allowed = `gpg.ssh.allowedSignersFile=${path.join(dataFolder, 'keys', 'allowed_signers')}`
  run('-c', allowed, 'verify-commit', commit, revertCommit)
  run('fsck', '--strict', '--full', '--no-dangling')
  const trailer = (name: string, of: string) =>
    run('log', '-1', `--format=%(trailers:key=${name},valueonly)`, of).trim()
  assert.equal(trailer('Nexus-Change-Id', commit), id)
  assert.equal(trailer('Nexus-Objective-Id', commit), 'o-1')
  assert.equal(trailer('Nexus-Recipe', commit), 'enable_caching@1')
  assert.equal(trailer('Nexus-Evidence', commit), proposal.digest)
  assert.match(trailer('Nexus-Warrant', commit), /^[0-9a-f]{64}$/)
  assert.equal(trailer('Nexus-Reverts', revertCommit), commit)
  assert.equal(run('rev-parse', `${revertCommit}^{tree}`), run('rev-parse', `${proposal.base}^{tree}`))
  assert.deepEqual(run('diff', '--name-only', proposal.base, commit).trim().split('\n'), [
    ...changedFiles.map((file) => file.path).toSorted(),
  ])
})

test('what becomes of changes is counted by intervention, each thing once', async (t) => {
  const bench = await makeBench(t)
  const registry = new Registry()
  const changes = bench.changesOn(bench.journal, { events: createEvents(silentLog, registry) })
  const { envelope } = bench.warrantFor(await bench.propose(id))
  await assert.rejects(changes.commit(id, ''))
  for (let asked = 0; asked < 2; asked++) {
    await changes.commit(id, envelope)
    if (asked === 0) await changes.promote(id, envelope)
    await changes.revert(id, 'slow')
  }
  const text = await registry.metrics()
  for (const outcome of ['committed', 'promoted', 'reverted'])
    assert.match(
      text,
      new RegExp(`nexus_changes_total\\{intervention="enable_caching",outcome="${outcome}"\\} 1\n`),
    )
  assert.match(text, /nexus_warrants_refused_total 1\n/)
})
