import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** Signs commits, in the form that stock git checks: SSHSIG over Ed25519 (OpenSSH PROTOCOL.sshsig, namespace `git`). */
export interface CommitSigner {
  /** Armoured signature over the bytes of a commit without its `gpgsig` header. Ed25519 is deterministic, so the commit is too. */
  readonly sign: (payload: Buffer) => string
  /** One line of an allowed-signers file, which `git verify-commit` takes by `gpg.ssh.allowedSignersFile`. */
  readonly allowedSigner: string
}

const namespace = 'git'
const hashAlgorithm = 'sha512'
const keyType = 'ssh-ed25519'
const armourWidth = 70
const rawKeyBytes = 32

/** The key cannot be used; the message names the file and the remedy. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
}

/**
 * Opens the signing key `<folder>/commit.key`, making it at the first start, and writes `allowed_signers` beside it.
 * Errors: KeyFileError when the key can be read by others than its owner, or is not Ed25519.
 */
export function openCommitSigner(folder: string, email: string): CommitSigner {
  const file = path.join(folder, 'commit.key')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ed25519')
    writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    })
  }
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw new KeyFileError(
      `${file} can be read by others: \`chmod 600\` it, or remove it and have a new one made`,
    )
  }
  const key = readKey(file)
  const wire = wireKey(createPublicKey(key))
  const allowedSigner = `${email} namespaces="${namespace}" ${keyType} ${wire.toString('base64')}`
  const signers = path.join(folder, 'allowed_signers')
  writeFileSync(signers, `${allowedSigner}\n`, { mode: 0o644 })
  chmodSync(signers, 0o644)
  return { sign: (payload) => armour(signatureOf(payload, key, wire)), allowedSigner }
}

function readKey(file: string): KeyObject {
  try {
    const key = createPrivateKey(readFileSync(file))
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    throw new KeyFileError(`${file} is not a private key: remove it and have a new one made`, { cause })
  }
  throw new KeyFileError(`${file} is not an Ed25519 key: remove it and have a new one made`)
}

/** The public key as OpenSSH writes it: its type, then its 32 bytes, each with its length before it. */
function wireKey(key: KeyObject): Buffer {
  const der = key.export({ format: 'der', type: 'spki' })
  return Buffer.concat([field(keyType), field(der.subarray(-rawKeyBytes))])
}

function signatureOf(payload: Buffer, key: KeyObject, wire: Buffer): Buffer {
  const digest = createHash(hashAlgorithm).update(payload).digest()
  const signed = Buffer.concat([
    Buffer.from('SSHSIG'),
    field(namespace),
    field(''),
    field(hashAlgorithm),
    field(digest),
  ])
  const signature = Buffer.concat([field(keyType), field(sign(null, signed, key))])
  const version = Buffer.from([0, 0, 0, 1])
  const parts = [field(wire), field(namespace), field(''), field(hashAlgorithm), field(signature)]
  return Buffer.concat([Buffer.from('SSHSIG'), version, ...parts])
}

function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

function armour(blob: Buffer): string {
  const lines = blob.toString('base64').match(new RegExp(`.{1,${armourWidth}}`, 'g')) ?? []
  return ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----'].join('\n')
}
