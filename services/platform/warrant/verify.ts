import type { KeyObject } from 'node:crypto'
import { openEnvelope } from './dsse.ts'
import { parsePublicKey } from './keys.ts'
import { decodeStatement, type WarrantAction, type WarrantStatement } from './statement.ts'

/** How far the governor's clock may be ahead of ours. Nothing is forgiven at the end of a warrant. */
export const maxClockSkewMs = 5_000
/** A longer life than this is refused, whatever was signed. */
export const maxWarrantLifeMs = 24 * 60 * 60 * 1000

/** The change that stands before the one who asks; every field must be the one that was warranted. */
export interface ExpectedChange {
  readonly changeId: string
  readonly target: string
  /** The git tree that the change ends in, as computed here, never as told. */
  readonly tree: string
  readonly baseCommit: string
  readonly digest: string
  /** What is about to be done. Not given: `deploy`, which not every warrant permits. */
  readonly action?: WarrantAction
}

export interface VerifyOptions {
  /** The governor's public keys, as PEM text or key objects. */
  readonly publicKeys: readonly (KeyObject | string)[]
  readonly nowMs: number
  readonly expected: ExpectedChange
}

/** The warrant's content, or why it does not hold, in words that follow "the warrant is refused: ". */
export type Verdict =
  | { readonly ok: true; readonly statement: WarrantStatement }
  | { readonly ok: false; readonly reason: string }

/** Decides whether this envelope permits exactly this change now. Pure; whatever is wrong with the envelope is a value, never thrown. */
export function verifyWarrant(envelope: string, options: VerifyOptions): Verdict {
  const keys = options.publicKeys.map((key) => (typeof key === 'string' ? parsePublicKey(key) : key))
  const opened = openEnvelope(envelope, keys)
  if (!opened.ok) return opened
  const statement = decodeStatement(opened.payload)
  if (typeof statement === 'string') return { ok: false, reason: statement }
  const reason = faultInTime(statement, options.nowMs) ?? faultInSubject(statement, options.expected)
  return reason === undefined ? { ok: true, statement } : { ok: false, reason }
}

function faultInTime({ issuedAtMs, expiresAtMs }: WarrantStatement, nowMs: number): string | undefined {
  if (issuedAtMs > nowMs + maxClockSkewMs)
    return `it is not valid before ${new Date(issuedAtMs).toISOString()}`
  if (expiresAtMs <= nowMs) return `it expired at ${new Date(expiresAtMs).toISOString()}`
  if (expiresAtMs - issuedAtMs > maxWarrantLifeMs) return 'it claims to live longer than any warrant may'
  return undefined
}

function faultInSubject(statement: WarrantStatement, expected: ExpectedChange): string | undefined {
  const { evidence, permits } = statement
  const pairs = [
    ['change', evidence.changeId, expected.changeId],
    ['target', evidence.target, expected.target],
    ['tree', evidence.tree, expected.tree],
    ['base commit', evidence.baseCommit, expected.baseCommit],
    ['digest', evidence.digest, expected.digest],
  ] as const
  for (const [thing, warranted, found] of pairs) {
    if (warranted !== found) return `it is for ${thing} ${warranted}, not ${found || 'an unnamed one'}`
  }
  const action = expected.action ?? 'deploy'
  return permits.includes(action) ? undefined : `it permits to ${permits.join(' and ')}, not to ${action}`
}
