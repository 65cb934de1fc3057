import { type KeyObject, sign, verify } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../canonical-json.ts'
import { keyIdOf } from './keys.ts'

/** The only payload that a warrant may have. */
export const payloadType = 'application/vnd.in-toto+json'

/** As in the contract: what a message can carry of an envelope. */
export const maxEnvelopeLength = 262_144

const envelopeShape = z.strictObject({
  payload: z.base64().min(4),
  payloadType: z.literal(payloadType),
  signatures: z.tuple([
    z.strictObject({ keyid: z.string().regex(/^[0-9a-f]{64}$/), sig: z.base64().length(88) }),
  ]),
})

/** What an envelope holds, or why it is not to be believed. */
export type Opened =
  | { readonly ok: true; readonly payload: Buffer; readonly keyId: string }
  | { readonly ok: false; readonly reason: string }

/**
 * The bytes that a signature is over, so that type and payload cannot be shifted into one another:
 * `DSSEv1 <length of type> <type> <length of payload> <payload>` (DSSE v1.0.2, protocol.md).
 */
export function preAuthenticationEncoding(type: string, payload: Uint8Array): Buffer {
  const typeLength = Buffer.byteLength(type, 'utf8')
  return Buffer.concat([Buffer.from(`DSSEv1 ${typeLength} ${type} ${payload.length} `, 'utf8'), payload])
}

/** Signs a payload with an Ed25519 private key. The envelope is canonical JSON; the same input gives the same text. */
export function sealEnvelope(payload: Uint8Array, privateKey: KeyObject): string {
  const signature = sign(null, preAuthenticationEncoding(payloadType, payload), privateKey)
  return canonicalJson({
    payload: Buffer.from(payload).toString('base64'),
    payloadType,
    signatures: [{ keyid: keyIdOf(privateKey), sig: signature.toString('base64') }],
  })
}

/**
 * Checks an envelope and gives its payload. Stricter than DSSE asks: exactly one signature, by a known key id, and
 * the text must be its own canonical form, which leaves no room for duplicate keys, trailing bytes or a second spelling.
 */
export function openEnvelope(text: string, publicKeys: readonly KeyObject[]): Opened {
  const envelope = parseEnvelope(text)
  if (typeof envelope === 'string') return { ok: false, reason: envelope }
  const [{ keyid, sig }] = envelope.signatures
  const key = publicKeys.find((candidate) => keyIdOf(candidate) === keyid)
  if (!key) return { ok: false, reason: `the key ${keyid} that signed it is not the governor's` }
  const payload = Buffer.from(envelope.payload, 'base64')
  const signed = preAuthenticationEncoding(envelope.payloadType, payload)
  if (!verify(null, signed, key, Buffer.from(sig, 'base64'))) {
    return { ok: false, reason: 'its signature is not over this payload' }
  }
  return { ok: true, payload, keyId: keyid }
}

function parseEnvelope(text: string): z.infer<typeof envelopeShape> | string {
  if (text === '') return 'there is none'
  if (text.length > maxEnvelopeLength) return `it is longer than ${maxEnvelopeLength} characters`
  const value = parseCanonical(text)
  if (value === undefined) return 'its envelope is not canonical JSON'
  const parsed = envelopeShape.safeParse(value)
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!
    return `its envelope is not one: ${path.join('.') || 'the whole'}: ${message}`
  }
  const { payload, signatures } = parsed.data
  const encoded = [payload, signatures[0].sig]
  if (encoded.some((base64) => Buffer.from(base64, 'base64').toString('base64') !== base64)) {
    return 'its envelope is not canonical base64'
  }
  return parsed.data
}

/** The value of a text that is exactly its own canonical JSON, or undefined. */
export function parseCanonical(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return canonicalJson(value) === text ? value : undefined
  } catch {
    return undefined
  }
}
