import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { keyIdOf, parsePublicKey, readPublicKeyFile, WarrantKeyError } from './keys.ts'

const pair = generateKeyPairSync('ed25519')
const publicPem = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString()

test('both halves of a pair have one id', () => {
  assert.equal(keyIdOf(pair.privateKey), keyIdOf(pair.publicKey))
  assert.match(keyIdOf(pair.publicKey), /^[0-9a-f]{64}$/)
})

test('a private key, another kind of key and text are refused', () => {
  const privatePem = pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  assert.throws(() => parsePublicKey(privatePem), /private key/)
  assert.throws(() => parsePublicKey(p256.export({ format: 'pem', type: 'spki' }).toString()), /Ed25519/)
  assert.throws(() => parsePublicKey('no key'), /PEM/)
})

test('a key file that is missing or wrong is named, with the remedy', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-keys-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'warrant.pub')
  assert.throws(() => readPublicKeyFile(file), {
    name: 'WarrantKeyError',
    message: /warrant\.pub.*start the governor/,
  })
  writeFileSync(file, 'no key')
  assert.throws(() => readPublicKeyFile(file), WarrantKeyError)
  writeFileSync(file, publicPem)
  assert.equal(keyIdOf(readPublicKeyFile(file)), keyIdOf(pair.publicKey))
})
