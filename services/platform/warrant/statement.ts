import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf'
import { z } from 'zod'
import { type ChangeEvidence, ChangeEvidenceSchema } from '../../gen/nexus/governor/v1/warrant_pb.ts'
import { canonicalJson } from '../canonical-json.ts'
import { parseCanonical } from './dsse.ts'

export const statementType = 'https://in-toto.io/Statement/v1'
export const predicateType = 'urn:nexus:warrant:v1'

/** What a warrant may permit: to put the change on its own branch, and to roll it out. */
export const warrantActions = ['commit', 'deploy'] as const
export type WarrantAction = (typeof warrantActions)[number]

/** What a warrant says, read from or written to an in-toto Statement v1 whose subject is the change's git tree. */
export interface WarrantStatement {
  /** Everything that the governor saw. */
  readonly evidence: ChangeEvidence
  readonly permits: readonly WarrantAction[]
  /** Digest of the policy that judged. */
  readonly policyDigest: string
  readonly authorizationId: string
  /** The approval of a person that it rests on; absent when policy alone permitted it. */
  readonly approvalId?: string
  /** Who approved; with `approvalId`. */
  readonly approvedBy?: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

const hexOf = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`))

const statementShape = z.strictObject({
  _type: z.literal(statementType),
  subject: z.tuple([z.strictObject({ name: z.string(), digest: z.strictObject({ gitTree: hexOf(40) }) })]),
  predicateType: z.literal(predicateType),
  predicate: z.strictObject({
    evidence: z.record(z.string(), z.unknown()),
    permits: z.array(z.enum(warrantActions)).min(1).max(warrantActions.length),
    policyDigest: hexOf(64),
    authorizationId: z.string().min(1).max(128),
    approvalId: z.string().min(1).max(128).optional(),
    approvedBy: z.string().min(1).max(256).optional(),
    issuedAt: z.iso.datetime({ precision: 3 }),
    expiresAt: z.iso.datetime({ precision: 3 }),
  }),
})

/** Evidence as plain JSON with the contract's own field names, every field present. */
export function evidenceToJson(evidence: ChangeEvidence): JsonValue {
  return toJson(ChangeEvidenceSchema, evidence, { useProtoFieldName: true, alwaysEmitImplicit: true })
}

/** The reverse of evidenceToJson. Errors: when a field is unknown or of another type. */
export function evidenceFromJson(json: JsonValue): ChangeEvidence {
  return fromJson(ChangeEvidenceSchema, json, { ignoreUnknownFields: false })
}

/** The bytes to sign: canonical JSON. */
export function encodeStatement(statement: WarrantStatement): Buffer {
  const { evidence, issuedAtMs, expiresAtMs, permits, ...rest } = statement
  const text = canonicalJson({
    _type: statementType,
    subject: [{ name: evidence.target, digest: { gitTree: evidence.tree } }],
    predicateType,
    predicate: {
      ...rest,
      permits,
      evidence: evidenceToJson(evidence),
      issuedAt: new Date(issuedAtMs).toISOString(),
      expiresAt: new Date(expiresAtMs).toISOString(),
    },
  })
  return Buffer.from(text, 'utf8')
}

/** Reads signed bytes, or says in words why they are no warrant. Encoding the result again gives the same bytes. */
export function decodeStatement(payload: Buffer): WarrantStatement | string {
  const value = parseCanonical(payload.toString('utf8'))
  if (value === undefined) return 'its statement is not canonical JSON'
  const parsed = statementShape.safeParse(value)
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!
    return `its statement is not one: ${path.join('.') || 'the whole'}: ${message}`
  }
  const { evidence, issuedAt, expiresAt, ...rest } = parsed.data.predicate
  const decoded = readEvidence(evidence as JsonValue)
  if (typeof decoded === 'string') return decoded
  const statement = {
    ...rest,
    evidence: decoded,
    issuedAtMs: Date.parse(issuedAt),
    expiresAtMs: Date.parse(expiresAt),
  }
  return encodeStatement(statement).equals(payload)
    ? statement
    : 'its statement disagrees with itself: the subject is not that of the evidence, or a value has two spellings'
}

function readEvidence(json: JsonValue): ChangeEvidence | string {
  try {
    return evidenceFromJson(json)
  } catch (error) {
    return `its evidence cannot be read: ${(error as Error).message}`
  }
}
