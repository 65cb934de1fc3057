import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { Author, ChangeEvidenceSchema } from '../../gen/nexus/governor/v1/warrant_pb.ts'
import { canonicalJson } from '../canonical-json.ts'
import {
  decodeStatement,
  encodeStatement,
  evidenceFromJson,
  evidenceToJson,
  type WarrantStatement,
} from './statement.ts'

const statement: WarrantStatement = {
  evidence: create(ChangeEvidenceSchema, {
    changeId: 'chg-1',
    target: 'storefront',
    tree: '2'.repeat(40),
    author: Author.MODEL,
    paths: ['src/ä.ts'],
    risk: { score: 12, worstBurn: 0.1 + 0.2 },
    effectLow: -0,
    effectHigh: Number.POSITIVE_INFINITY,
  }),
  permits: ['commit'],
  policyDigest: 'a'.repeat(64),
  authorizationId: 'auth-1',
  approvalId: 'apr-1',
  approvedBy: 'alice',
  issuedAtMs: Date.UTC(2026, 10, 22),
  expiresAtMs: Date.UTC(2026, 10, 23),
}

test('a statement is an in-toto one whose subject is the git tree, with every field of the evidence spelled out', () => {
  const json = JSON.parse(encodeStatement(statement).toString('utf8'))
  assert.equal(json._type, 'https://in-toto.io/Statement/v1')
  assert.deepEqual(json.subject, [{ name: 'storefront', digest: { gitTree: '2'.repeat(40) } }])
  assert.equal(json.predicate.expiresAt, '2026-11-23T00:00:00.000Z')
  assert.equal(json.predicate.evidence.checks_passed, false)
  assert.equal(json.predicate.evidence.author, 'AUTHOR_MODEL')
})

test('what is decoded encodes to the same bytes', () => {
  const bytes = encodeStatement(statement)
  const decoded = decodeStatement(bytes)
  assert.ok(typeof decoded !== 'string', String(decoded))
  assert.deepEqual(encodeStatement(decoded), bytes)
  assert.deepEqual(decoded.evidence.paths, ['src/ä.ts'])
  assert.equal(decoded.approvedBy, 'alice')
})

const edited = (edit: (json: Record<string, never>) => void) => {
  const json = JSON.parse(encodeStatement(statement).toString('utf8'))
  edit(json)
  return decodeStatement(Buffer.from(canonicalJson(json)))
}

test('a field that is unknown, of another type, or spelled in another way is no statement', () => {
  const edits: ((json: {
    predicate: Record<string, unknown> & { evidence: Record<string, unknown> }
  }) => void)[] = [
    (json) => Object.assign(json, { more: 1 }),
    ({ predicate }) => Object.assign(predicate, { more: 1 }),
    ({ predicate }) => Object.assign(predicate.evidence, { more: 1 }),
    ({ predicate }) => Object.assign(predicate.evidence, { checks_passed: 'yes' }),
    ({ predicate }) => Object.assign(predicate.evidence, { author: 2 }),
    ({ predicate }) => Object.assign(predicate.evidence, { effect_low: '0' }),
    ({ predicate }) => void delete predicate.evidence.checks_passed,
    ({ predicate }) => Object.assign(predicate, { expiresAt: '2026-11-23T00:00:00Z' }),
    ({ predicate }) => Object.assign(predicate, { expiresAt: '2026-11-23T01:00:00.000+01:00' }),
    ({ predicate }) => Object.assign(predicate, { permits: [] }),
    ({ predicate }) => Object.assign(predicate, { permits: ['merge'] }),
    ({ predicate }) => Object.assign(predicate, { policyDigest: 'A'.repeat(64) }),
  ]
  for (const edit of edits) assert.equal(typeof edited(edit as never), 'string', edit.toString())
})

test('evidence survives the way to JSON and back', () => {
  assert.deepEqual(evidenceFromJson(evidenceToJson(statement.evidence)), statement.evidence)
})
