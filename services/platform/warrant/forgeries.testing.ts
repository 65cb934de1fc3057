import { type KeyObject, sign } from 'node:crypto'
import { clone } from '@bufbuild/protobuf'
import { type ChangeEvidence, ChangeEvidenceSchema } from '../../gen/nexus/governor/v1/warrant_pb.ts'
import { canonicalJson } from '../canonical-json.ts'
import { payloadType, preAuthenticationEncoding, sealEnvelope } from './dsse.ts'
import { keyIdOf } from './keys.ts'
import { signWarrant } from './sign.ts'
import { encodeStatement, predicateType, type WarrantStatement } from './statement.ts'

/** Test support: what the forger works with. `key` is the governor's own, since some forgeries are true warrants for something else. */
export interface ForgersKit {
  readonly key: KeyObject
  /** A key that the verifier does not know. */
  readonly otherKey: KeyObject
  /** The evidence of the change that the verifier will be asked about. */
  readonly evidence: ChangeEvidence
  readonly nowMs: number
}

/** Test support: one warrant that must be refused wherever a warrant is asked for. */
export interface Forgery {
  readonly name: string
  readonly envelope: (kit: ForgersKit) => string
  /** What the reason for the refusal must say. */
  readonly reason: RegExp
}

const minuteMs = 60_000

/** Test support: the statement of a warrant that holds for ten minutes from `nowMs` and permits everything. */
export function statementFor(evidence: ChangeEvidence, nowMs: number): WarrantStatement {
  return {
    evidence,
    permits: ['commit', 'deploy'],
    policyDigest: 'a'.repeat(64),
    authorizationId: 'authorization-of-a-test',
    issuedAtMs: nowMs,
    expiresAtMs: nowMs + 10 * minuteMs,
  }
}

/** Test support: a warrant that is in order; what every forgery starts from. */
export function validWarrant(kit: ForgersKit): string {
  return signWarrant(statementFor(kit.evidence, kit.nowMs), kit.key)
}

const hex = (digit: string, length: number) => digit.repeat(length)

/** Test support: the table. The verifier must refuse each with a reason, and accept `validWarrant` of the same kit. */
export const forgeries: readonly Forgery[] = [
  { name: 'missing', envelope: () => '', reason: /there is none/ },
  { name: 'empty JSON', envelope: () => '{}', reason: /envelope is not one/ },
  { name: 'not JSON', envelope: () => 'warrant: yes', reason: /not canonical JSON/ },
  {
    name: 'longer than any envelope',
    envelope: (kit) => validWarrant(kit).padEnd(300_000, ' '),
    reason: /longer/,
  },
  {
    name: 'expired a second ago',
    envelope: (kit) => signedWith(kit, { issuedAtMs: kit.nowMs - minuteMs, expiresAtMs: kit.nowMs - 1_000 }),
    reason: /expired/,
  },
  {
    name: 'not yet valid',
    envelope: (kit) =>
      signedWith(kit, { issuedAtMs: kit.nowMs + minuteMs, expiresAtMs: kit.nowMs + 2 * minuteMs }),
    reason: /not valid before/,
  },
  {
    name: 'living for a year',
    envelope: (kit) => signedWith(kit, { expiresAtMs: kit.nowMs + 365 * 24 * 60 * minuteMs }),
    reason: /longer than any warrant may/,
  },
  {
    name: 'for another digest',
    envelope: (kit) => about(kit, { digest: hex('0', 64) }),
    reason: /for digest/,
  },
  { name: 'for another tree', envelope: (kit) => about(kit, { tree: hex('0', 40) }), reason: /for tree/ },
  {
    name: 'for another base commit',
    envelope: (kit) => about(kit, { baseCommit: hex('0', 40) }),
    reason: /for base commit/,
  },
  { name: 'for another target', envelope: (kit) => about(kit, { target: 'else' }), reason: /for target/ },
  { name: 'for another change', envelope: (kit) => about(kit, { changeId: 'else' }), reason: /for change/ },
  {
    name: 'signed by another key',
    envelope: (kit) => validWarrant({ ...kit, key: kit.otherKey }),
    reason: /not the governor's/,
  },
  {
    name: "signed by another key under the governor's key id",
    envelope: (kit) =>
      withSignature(kit, (payload) => signatureOver(encodingOf(payload), kit.otherKey, kit.key)),
    reason: /signature is not over this payload/,
  },
  {
    name: 'unsigned',
    envelope: (kit) => edited(kit, (envelope) => ({ ...envelope, signatures: [] })),
    reason: /signatures/,
  },
  {
    name: 'signed twice',
    envelope: (kit) =>
      edited(kit, (envelope) => ({
        ...envelope,
        signatures: [envelope.signatures[0], envelope.signatures[0]],
      })),
    reason: /signatures/,
  },
  {
    name: 'with a changed payload byte',
    envelope: (kit) => edited(kit, (envelope) => ({ ...envelope, payload: flipByte(envelope.payload, 40) })),
    reason: /signature is not over this payload/,
  },
  {
    name: 'with a changed signature byte',
    envelope: (kit) =>
      edited(kit, (envelope) => ({
        ...envelope,
        signatures: [{ ...envelope.signatures[0]!, sig: flipByte(envelope.signatures[0]!.sig, 10) }],
      })),
    reason: /signature is not over this payload/,
  },
  {
    name: 'with another payload type',
    envelope: (kit) => edited(kit, (envelope) => ({ ...envelope, payloadType: 'application/json' })),
    reason: /payloadType/,
  },
  {
    name: 'with a tampered evidence field, encoded again without the key',
    envelope: (kit) => edited(kit, (envelope) => ({ ...envelope, payload: tamperedPayload(kit) })),
    reason: /signature is not over this payload/,
  },
  { name: 'with a duplicate key in the envelope', envelope: duplicateKey, reason: /not canonical JSON/ },
  {
    name: 'with bytes after its end',
    envelope: (kit) => `${validWarrant(kit)}\n{}`,
    reason: /not canonical JSON/,
  },
  {
    name: 'signed, with a duplicate key in the statement',
    envelope: (kit) => sealed(kit, (text) => text.replace('"permits":', '"permits":["commit"],"permits":')),
    reason: /statement is not canonical JSON/,
  },
  {
    name: 'signed, with another predicate type',
    envelope: (kit) => sealed(kit, (text) => text.replace(predicateType, 'urn:nexus:remark:v1')),
    reason: /predicateType/,
  },
  {
    name: 'signed, with a subject that is not the evidence',
    envelope: (kit) =>
      sealed(kit, (text) => text.replace(`"gitTree":"${kit.evidence.tree}"`, `"gitTree":"${hex('0', 40)}"`)),
    reason: /disagrees with itself/,
  },
  {
    name: 'signed over the bare payload instead of its pre-authentication encoding',
    envelope: (kit) => withSignature(kit, (payload) => signatureOver(payload, kit.key, kit.key)),
    reason: /signature is not over this payload/,
  },
]

interface Envelope {
  payload: string
  payloadType: string
  signatures: { keyid: string; sig: string }[]
}

function signedWith(kit: ForgersKit, changes: Partial<WarrantStatement>): string {
  return signWarrant({ ...statementFor(kit.evidence, kit.nowMs), ...changes }, kit.key)
}

function about(kit: ForgersKit, changes: Partial<ChangeEvidence>): string {
  return signedWith(kit, { evidence: Object.assign(clone(ChangeEvidenceSchema, kit.evidence), changes) })
}

function edited(kit: ForgersKit, edit: (envelope: Envelope) => object): string {
  return canonicalJson(edit(JSON.parse(validWarrant(kit)) as Envelope))
}

function sealed(kit: ForgersKit, edit: (statement: string) => string): string {
  const text = encodeStatement(statementFor(kit.evidence, kit.nowMs)).toString('utf8')
  return sealEnvelope(Buffer.from(edit(text), 'utf8'), kit.key)
}

function withSignature(kit: ForgersKit, signature: (payload: Buffer) => Envelope['signatures'][0]): string {
  const payload = encodeStatement(statementFor(kit.evidence, kit.nowMs))
  return canonicalJson({
    payload: payload.toString('base64'),
    payloadType,
    signatures: [signature(payload)],
  })
}

const encodingOf = (payload: Buffer) => preAuthenticationEncoding(payloadType, payload)

function signatureOver(bytes: Buffer, signer: KeyObject, claimed: KeyObject): Envelope['signatures'][0] {
  return { keyid: keyIdOf(claimed), sig: sign(null, bytes, signer).toString('base64') }
}

function tamperedPayload(kit: ForgersKit): string {
  const evidence = clone(ChangeEvidenceSchema, kit.evidence)
  evidence.blockingFindings += 1
  return encodeStatement(statementFor(evidence, kit.nowMs)).toString('base64')
}

function flipByte(base64: string, index: number): string {
  const bytes = Buffer.from(base64, 'base64')
  bytes[index]! ^= 1
  return bytes.toString('base64')
}

function duplicateKey(kit: ForgersKit): string {
  return validWarrant(kit).replace('{', `{"payloadType":"${payloadType}",`)
}
