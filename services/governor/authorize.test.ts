import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { Registry } from 'prom-client'
import type { Journal } from '../platform/journal/journal.ts'
import { openJournal } from '../platform/journal/open.ts'
import { silentLog } from '../platform/testing.ts'
import { verifyWarrant } from '../platform/warrant/verify.ts'
import { Approvals } from './approvals.ts'
import { Authority } from './authorize.ts'
import { createEvents } from './events.ts'
import { loadPolicy } from './policy.ts'
import { evidenceOf, OwnedClock, temporaryFolder } from './testing.ts'

const file = (name: string) => readFileSync(path.join(import.meta.dirname, 'policy', name), 'utf8')
const policy = await loadPolicy({
  text: file('default.cedar'),
  schema: file('schema.cedarschema'),
  file: 'default.cedar',
})
const { privateKey, publicKey } = generateKeyPairSync('ed25519')

/** One process's authority over the journal in a folder; `wrap` may make the journal fail. */
async function authorityIn(t: TestContext, folder: string, wrap = (journal: Journal): Journal => journal) {
  const clock = new OwnedClock()
  const opened = await openJournal(`sqlite:${path.join(folder, 'journal.sqlite')}`, { clock })
  t.after(() => opened.close())
  const journal = wrap(opened)
  const events = createEvents(silentLog, new Registry())
  const approvals = new Approvals({ journal, clock, events })
  const authority = new Authority({
    journal,
    approvals,
    policy,
    privateKey,
    clock,
    events,
    approvalTtlS: 60,
    warrantTtlS: 60,
  })
  return { authority, approvals, journal, clock }
}

/** A journal whose process dies before or after its `nth` append. */
function dyingAt(nth: number, when: 'before' | 'after') {
  let appends = 0
  return (journal: Journal): Journal => ({
    read: (stream, from) => journal.read(stream, from),
    streams: (prefix) => journal.streams(prefix),
    close: () => journal.close(),
    append: async (stream, expected, events) => {
      appends += 1
      if (appends === nth && when === 'before') throw new Error('killed')
      const written = await journal.append(stream, expected, events)
      if (appends === nth) throw new Error('killed')
      return written
    },
  })
}

const evidence = evidenceOf()

for (const [nth, when] of [
  [1, 'before'],
  [1, 'after'],
  [2, 'before'],
  [2, 'after'],
] as const) {
  test(`killed ${when} append ${nth} of asking a person, the next process asks once and goes on`, async (t) => {
    const folder = temporaryFolder(t)
    const first = await authorityIn(t, folder, dyingAt(nth, when))
    await assert.rejects(first.authority.authorize(evidence, 'approve'), /killed/)
    const { authority, approvals, journal } = await authorityIn(t, folder)
    const answer = await authority.authorize(evidence, 'approve')
    assert.equal(answer.outcome, 'awaiting')
    assert.equal((await approvals.list({ limit: 10 })).length, 1)
    const approvalId = answer.approval?.id ?? ''
    await approvals.decide({
      approvalId,
      digest: evidence.digest,
      approve: true,
      approver: 'alice',
      comment: '',
    })
    const permitted = await authority.authorize(evidence, 'approve')
    assert.equal(permitted.outcome, 'permitted')
    const stream = await journal.read(`authorization/${evidence.changeId}`)
    assert.deepEqual(
      stream.map(({ type }) => type),
      ['judged', 'judged', 'warranted'],
    )
  })
}

test('killed after the warrant was written, the next process gives the same one', async (t) => {
  const folder = temporaryFolder(t)
  const first = await authorityIn(t, folder, dyingAt(1, 'after'))
  await assert.rejects(first.authority.authorize(evidence, 'auto'), /killed/)
  const { authority, journal } = await authorityIn(t, folder)
  const written = (await journal.read(`authorization/${evidence.changeId}`)).at(-1)!
  const answer = await authority.authorize(evidence, 'auto')
  assert.equal(answer.warrant?.envelope, (written.data as { envelope: string }).envelope)
})

test('two replicas that judge one change at the same moment give one warrant', async (t) => {
  const folder = temporaryFolder(t)
  const replicas = [await authorityIn(t, folder), await authorityIn(t, folder)]
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) => replicas[index % 2]!.authority.authorize(evidence, 'auto')),
  )
  assert.equal(new Set(answers.map(({ warrant }) => warrant?.envelope)).size, 1)
  assert.equal((await replicas[0]!.journal.read(`authorization/${evidence.changeId}`)).length, 2)
})

test('two replicas that ask a person at the same moment ask once', async (t) => {
  const folder = temporaryFolder(t)
  const replicas = [await authorityIn(t, folder), await authorityIn(t, folder)]
  const answers = await Promise.all(replicas.map(({ authority }) => authority.authorize(evidence, 'approve')))
  assert.equal(new Set(answers.map(({ approval }) => approval?.id)).size, 1)
  assert.equal((await replicas[0]!.approvals.list({ limit: 10 })).length, 1)
})

test('a clock that was set back does not leave a warrant that is not valid yet: the next call gives one that is', async (t) => {
  const { authority, clock, journal } = await authorityIn(t, temporaryFolder(t))
  const holds = (envelope = '') => {
    const { changeId, target, tree, baseCommit, digest } = evidence
    const expected = { changeId, target, tree, baseCommit, digest }
    return verifyWarrant(envelope, { publicKeys: [publicKey], nowMs: clock.nowMs(), expected }).ok
  }
  const first = await authority.authorize(evidence, 'auto')
  clock.advance(-3600)
  assert.equal(holds(first.warrant?.envelope), false)
  const second = await authority.authorize(evidence, 'auto')
  assert.equal(holds(second.warrant?.envelope), true)
  const again = await authority.authorize(evidence, 'auto')
  assert.equal(again.warrant?.envelope, second.warrant?.envelope)
  clock.advance(-2)
  assert.equal((await authority.authorize(evidence, 'auto')).warrant?.envelope, second.warrant?.envelope)
  const times = (await journal.read(`authorization/${evidence.changeId}`)).map(({ atMs }) => atMs)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
})
