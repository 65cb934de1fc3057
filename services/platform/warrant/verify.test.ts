import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { Author, ChangeEvidenceSchema } from '../../gen/nexus/governor/v1/warrant_pb.ts'
import { type ForgersKit, forgeries, statementFor, validWarrant } from './forgeries.testing.ts'
import { signWarrant } from './sign.ts'
import { evidenceToJson } from './statement.ts'
import { type ExpectedChange, maxClockSkewMs, verifyWarrant } from './verify.ts'

const nowMs = Date.UTC(2026, 10, 22, 12)
const governor = generateKeyPairSync('ed25519')

const evidence = create(ChangeEvidenceSchema, {
  changeId: 'chg-1',
  objectiveId: 'obj-1',
  target: 'storefront',
  intervention: 'enable_caching',
  baseCommit: '1'.repeat(40),
  tree: '2'.repeat(40),
  digest: '3'.repeat(64),
  author: Author.RECIPE,
  authorDetail: 'enable_caching@1 – mit Umlaut: ä',
  checksPassed: true,
  paths: ['src/recommendations.ts'],
  risk: { blastRadius: 0.2, harmProbability: 0.05, worstBurn: 0.01, rollbackS: 2, score: 12 },
  effectLow: -0.6,
  effectHigh: -0.4,
  sandboxTier: 'bubblewrap',
})

const expected: ExpectedChange = {
  changeId: evidence.changeId,
  target: evidence.target,
  tree: evidence.tree,
  baseCommit: evidence.baseCommit,
  digest: evidence.digest,
}

const kit: ForgersKit = {
  key: governor.privateKey,
  otherKey: generateKeyPairSync('ed25519').privateKey,
  evidence,
  nowMs,
}

const verifyWith = (envelope: string, keys: readonly (KeyObject | string)[] = [governor.publicKey]) =>
  verifyWarrant(envelope, { publicKeys: keys, nowMs, expected })

test('a warrant in order gives back the evidence that was signed', () => {
  const verdict = verifyWith(validWarrant(kit))
  assert.ok(verdict.ok)
  assert.deepEqual(evidenceToJson(verdict.statement.evidence), evidenceToJson(evidence))
  assert.equal(verdict.statement.expiresAtMs, nowMs + 600_000)
})

test('the public key may come as PEM text, and among others', () => {
  const pem = governor.publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const other = generateKeyPairSync('ed25519').publicKey
  assert.ok(verifyWith(validWarrant(kit), [other, pem]).ok)
})

test('the same statement and key give the same envelope', () => {
  assert.equal(validWarrant(kit), validWarrant(kit))
})

for (const forgery of forgeries) {
  test(`a warrant ${forgery.name} is refused with its reason`, () => {
    const verdict = verifyWith(forgery.envelope(kit))
    assert.ok(!verdict.ok)
    assert.match(verdict.reason, forgery.reason)
  })
}

test('the table of forgeries has no two of one name', () => {
  assert.equal(new Set(forgeries.map(({ name }) => name)).size, forgeries.length)
})

test('no single changed byte of an envelope passes', () => {
  const bytes = Buffer.from(validWarrant(kit), 'utf8')
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = Buffer.from(bytes)
    changed[index]! ^= 1 << (index % 7)
    assert.equal(verifyWith(changed.toString('utf8')).ok, false, `byte ${index}`)
  }
})

test('a warrant holds until the very millisecond of its end and forgives a clock a little behind at its start', () => {
  const envelope = validWarrant(kit)
  const at = (ms: number) =>
    verifyWarrant(envelope, { publicKeys: [governor.publicKey], nowMs: ms, expected })
  assert.equal(at(nowMs + 599_999).ok, true)
  assert.equal(at(nowMs + 600_000).ok, false)
  assert.equal(at(nowMs - maxClockSkewMs).ok, true)
  assert.equal(at(nowMs - maxClockSkewMs - 1).ok, false)
})

test('a warrant to commit does not permit to deploy, and who names no action needs one to deploy', () => {
  const envelope = signWarrant({ ...statementFor(evidence, nowMs), permits: ['commit'] }, kit.key)
  const asking = (action?: 'commit' | 'deploy') =>
    verifyWarrant(envelope, { publicKeys: [governor.publicKey], nowMs, expected: { ...expected, action } })
  assert.equal(asking('commit').ok, true)
  assert.equal(asking('deploy').ok, false)
  assert.equal(asking().ok, false)
})

test('an empty expectation matches no warrant', () => {
  const verdict = verifyWarrant(validWarrant(kit), {
    publicKeys: [governor.publicKey],
    nowMs,
    expected: { ...expected, tree: '' },
  })
  assert.ok(!verdict.ok)
  assert.match(verdict.reason, /for tree/)
})
