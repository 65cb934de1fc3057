import type { KeyObject } from 'node:crypto'
import { invariant } from '../invariant.ts'
import { maxEnvelopeLength, sealEnvelope } from './dsse.ts'
import { encodeStatement, type WarrantStatement } from './statement.ts'

/**
 * Signs a warrant and gives its envelope as JSON text. Only the governor calls it, with a key that only it holds.
 * Ed25519 is deterministic: the same statement and key give the same envelope.
 */
export function signWarrant(statement: WarrantStatement, privateKey: KeyObject): string {
  invariant(statement.expiresAtMs > statement.issuedAtMs, 'a warrant ends after it begins')
  const envelope = sealEnvelope(encodeStatement(statement), privateKey)
  invariant(envelope.length <= maxEnvelopeLength, 'the governor bounds evidence so that its envelope fits')
  return envelope
}
