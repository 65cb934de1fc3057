import assert from 'node:assert/strict'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { keyIdOf, readPublicKeyFile } from '../platform/warrant/keys.ts'
import { provideSigningKey } from './keys.ts'
import { temporaryFolder } from './testing.ts'

test('the first start makes a pair, the next ones use it', (t) => {
  const folder = path.join(temporaryFolder(t), 'keys')
  const first = provideSigningKey(folder)
  const second = provideSigningKey(folder)
  assert.deepEqual([first.made, second.made], [true, false])
  assert.equal(keyIdOf(first.privateKey), keyIdOf(second.privateKey))
  assert.equal(keyIdOf(readPublicKeyFile(path.join(folder, 'warrant.pub'))), keyIdOf(first.privateKey))
  assert.deepEqual(readdirSync(folder).sort(), ['warrant.key', 'warrant.pub'])
})

test('only its owner can read the key and the folder', (t) => {
  const folder = path.join(temporaryFolder(t), 'keys')
  provideSigningKey(folder)
  assert.equal(statSync(path.join(folder, 'warrant.key')).mode & 0o777, 0o600)
  assert.equal(statSync(folder).mode & 0o777, 0o700)
})

test('a key that others can read is refused, and not repaired', (t) => {
  const folder = temporaryFolder(t)
  provideSigningKey(folder)
  const file = path.join(folder, 'warrant.key')
  chmodSync(file, 0o640)
  assert.throws(() => provideSigningKey(folder), {
    name: 'WarrantKeyError',
    message: /warrant\.key can be read by others \(mode 640\): chmod 600/,
  })
  assert.equal(statSync(file).mode & 0o777, 0o640)
})

test('a key file that holds no key is refused by name and left as it is', (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'warrant.key')
  writeFileSync(file, 'half a key', { mode: 0o600 })
  assert.throws(() => provideSigningKey(folder), /warrant\.key holds no private key/)
  assert.equal(readFileSync(file, 'utf8'), 'half a key')
})

test('a public key that was lost or changed is written again', (t) => {
  const folder = temporaryFolder(t)
  const { publicPem } = provideSigningKey(folder)
  writeFileSync(path.join(folder, 'warrant.pub'), 'changed')
  provideSigningKey(folder)
  assert.equal(readFileSync(path.join(folder, 'warrant.pub'), 'utf8'), publicPem)
})

test('a folder that cannot be made is named', (t) => {
  const file = path.join(temporaryFolder(t), 'file')
  writeFileSync(file, '')
  assert.throws(() => provideSigningKey(path.join(file, 'keys')), {
    name: 'WarrantKeyError',
    message: /keys\/warrant\.key/,
  })
})
