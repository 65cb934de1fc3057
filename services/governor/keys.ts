import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { WarrantKeyError } from '../platform/warrant/keys.ts'

/** The governor's pair. */
export interface SigningKey {
  readonly privateKey: KeyObject
  /** The public half, as PEM text. */
  readonly publicPem: string
  /** Whether it was made just now. */
  readonly made: boolean
}

/**
 * Reads `warrant.key` from the folder, or makes it at the first start (Ed25519, readable by its owner alone), and writes
 * the public half beside it as `warrant.pub`. A key file that others may read is refused, not repaired: it may have been
 * read already, so a person has to decide between closing it and making a new key. Errors: WarrantKeyError naming the file.
 */
export function provideSigningKey(folder: string): SigningKey {
  const file = path.join(folder, 'warrant.key')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const made = makeIfMissing(file)
    const privateKey = readKey(file)
    const publicPem = createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }).toString()
    writeAtomically(path.join(folder, 'warrant.pub'), publicPem, 0o644)
    return { privateKey, publicPem, made }
  } catch (error) {
    if (error instanceof WarrantKeyError) throw error
    throw new WarrantKeyError(
      `the warrant's key ${file} cannot be read or made: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

function makeIfMissing(file: string): boolean {
  if (statSync(file, { throwIfNoEntry: false })) return false
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const draft = `${file}.${process.pid}.new`
  try {
    writeSynced(draft, pem, 0o600)
    // A link, unlike a rename, never replaces a key that another process has made meanwhile.
    linkSync(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function readKey(file: string): KeyObject {
  const { mode } = statSync(file)
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new WarrantKeyError(
      `the warrant's key ${file} can be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 it if nobody has, or remove it so that a new one is made`,
    )
  }
  let key: KeyObject
  try {
    key = createPrivateKey(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new WarrantKeyError(
      `the warrant's key ${file} holds no private key in PEM form: restore it, or remove it so that a new one is made`,
      { cause: error },
    )
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new WarrantKeyError(
      `the warrant's key ${file} is of type ${key.asymmetricKeyType}, it must be Ed25519`,
    )
  }
  return key
}

function writeAtomically(file: string, text: string, mode: number): void {
  if (statSync(file, { throwIfNoEntry: false }) && readFileSync(file, 'utf8') === text) return
  const draft = `${file}.${process.pid}.new`
  writeSynced(draft, text, mode)
  renameSync(draft, file)
}

function writeSynced(file: string, text: string, mode: number): void {
  const descriptor = openSync(file, 'w', mode)
  try {
    writeFileSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  chmodSync(file, mode)
}
