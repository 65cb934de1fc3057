import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { ChangeEvidenceSchema } from '../../gen/nexus/governor/v1/warrant_pb.ts'
import { statementFor } from './forgeries.testing.ts'
import { signWarrant } from './sign.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const statement = statementFor(
  create(ChangeEvidenceSchema, { target: 'storefront', tree: '2'.repeat(40) }),
  1_000,
)

test('a warrant that ends before it begins is not signed: that is a bug', () => {
  assert.throws(() => signWarrant({ ...statement, expiresAtMs: 1_000 }, privateKey), /ends after it begins/)
})

test('a warrant that no message could carry is not signed', () => {
  const evidence = create(ChangeEvidenceSchema, { ...statement.evidence, authorDetail: 'x'.repeat(300_000) })
  assert.throws(() => signWarrant({ ...statement, evidence }, privateKey), /bounds evidence/)
})
