import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A warrant's key cannot be used. The message names the file or what is wrong with the key. */
export class WarrantKeyError extends Error {
  override readonly name = 'WarrantKeyError'
}

/** A key's id in envelopes: SHA-256, in hex, of the public key's DER (SPKI) form. Takes the private key too. */
export function keyIdOf(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  return createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('hex')
}

/** Reads an Ed25519 public key from PEM text. A private key is refused: whoever verifies must not hold it. Errors: WarrantKeyError. */
export function parsePublicKey(pem: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) {
    throw new WarrantKeyError('a private key was given where the public key belongs')
  }
  const key = parse(pem)
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new WarrantKeyError(`the key is of type ${key.asymmetricKeyType}, warrants are signed with Ed25519`)
  }
  return key
}

/** Reads NEXUS_WARRANT_PUBLIC_KEY_FILE. Errors: WarrantKeyError naming the file and who writes it. */
export function readPublicKeyFile(file: string): KeyObject {
  let pem: string
  try {
    pem = readFileSync(file, 'utf8')
  } catch (error) {
    throw new WarrantKeyError(
      `the governor's public key ${file} cannot be read (${(error as Error).message}): start the governor first, it writes warrant.pub, or correct NEXUS_WARRANT_PUBLIC_KEY_FILE`,
      { cause: error },
    )
  }
  try {
    return parsePublicKey(pem)
  } catch (error) {
    throw new WarrantKeyError(`the governor's public key ${file}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function parse(pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch (error) {
    throw new WarrantKeyError('it holds no public key in PEM form', { cause: error })
  }
}
