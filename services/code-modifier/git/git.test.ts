import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import git from 'isomorphic-git'
import { makeOrigin } from '../../platform/target/origin.testing.ts'
import { messageOf, writeSignedCommit } from './commit.ts'
import { diffOf } from './diff.ts'
import { KeyFileError, openCommitSigner } from './signature.ts'
import { writeChangedTree } from './tree.ts'
import { wholeFiles } from './whole-files.ts'

const email = 'nexus@nexus.invalid'

async function repository(t: TestContext) {
  const folder = await mkdtemp(path.join(tmpdir(), 'nexus-git-'))
  t.after(() => rm(folder, { recursive: true }))
  const origin = path.join(folder, 'origin')
  const base = await makeOrigin(origin, { 'a.txt': 'a\n', 'src/b.ts': 'b\n', 'src/deep/c.ts': 'c\n' })
  return { folder, gitdir: path.join(origin, '.git'), base }
}

test('a tree is written with files changed, added in new folders and removed; the rest stays', async (t) => {
  const { gitdir, base } = await repository(t)
  const tree = await writeChangedTree(gitdir, base, [
    { path: 'src/b.ts', content: Buffer.from('B\n') },
    { path: 'src/new/d.ts', content: Buffer.from('d\n') },
    { path: 'src/deep/c.ts', content: null },
  ])
  const listed = await git.walk({
    fs,
    gitdir,
    trees: [git.TREE({ ref: tree })],
    map: async (name, [entry]) =>
      (await entry?.type()) === 'blob'
        ? `${name}=${Buffer.from((await entry?.content()) ?? []).toString()}`
        : undefined,
  })
  assert.deepEqual(listed, ['a.txt=a\n', 'src/b.ts=B\n', 'src/new/d.ts=d\n'])
})

test('a tree with the same content is the same tree', async (t) => {
  const { gitdir, base } = await repository(t)
  const { commit } = await git.readCommit({ fs, gitdir, oid: base })
  assert.equal(
    await writeChangedTree(gitdir, base, [{ path: 'src/b.ts', content: Buffer.from('b\n') }]),
    commit.tree,
  )
})

async function signedCommit(t: TestContext) {
  const { folder, gitdir, base } = await repository(t)
  const keys = path.join(folder, 'keys')
  const signer = openCommitSigner(keys, email)
  const tree = await writeChangedTree(gitdir, base, [{ path: 'src/b.ts', content: Buffer.from('B\n') }])
  const message = messageOf('enable_caching: caches\nb', 'Checks:\n- tests: 3 passed', {
    'Nexus-Change-Id': 'c-1',
    'Nexus-Recipe': 'enable_caching@1',
  })
  const commit = { tree, parent: base, message, committer: { name: 'NEXUS', email }, atMs: 1_790_000_000_123 }
  return { folder, gitdir, keys, signer, commit, oid: await writeSignedCommit(gitdir, commit, signer) }
}

test('the same commit written again is the same commit, also with the key read anew', async (t) => {
  const { gitdir, keys, commit, oid } = await signedCommit(t)
  assert.equal(await writeSignedCommit(gitdir, commit, openCommitSigner(keys, email)), oid)
})

test('stock git takes the signature, reads the trailers and finds nothing to complain about', async (t) => {
  try {
    execFileSync('git', ['--version'])
  } catch {
    return t.skip('git is not on the PATH')
  }
  const { gitdir, keys, oid, folder } = await signedCommit(t)
  const env = { PATH: process.env.PATH, HOME: folder }
  const run = (...args: string[]) =>
    execFileSync('git', ['--git-dir', gitdir, ...args], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  const allowed = `gpg.ssh.allowedSignersFile=${path.join(keys, 'allowed_signers')}`
  run('-c', allowed, 'verify-commit', oid)
  run('fsck', '--strict', '--no-dangling')
  assert.equal(run('log', '-1', '--format=%(trailers:key=Nexus-Change-Id,valueonly)', oid).trim(), 'c-1')
  assert.equal(run('log', '-1', '--format=%s', oid).trim(), 'enable_caching: caches b')
  const other = openCommitSigner(path.join(folder, 'other'), email)
  await writeFile(path.join(folder, 'others'), `${other.allowedSigner}\n`)
  assert.throws(() =>
    run('-c', `gpg.ssh.allowedSignersFile=${path.join(folder, 'others')}`, 'verify-commit', oid),
  )
})

test('a key that others can read, and a file that is no key, are refused with the remedy', async (t) => {
  const { keys } = await signedCommit(t)
  const file = path.join(keys, 'commit.key')
  await chmod(file, 0o644)
  assert.throws(
    () => openCommitSigner(keys, email),
    (error: Error) => error instanceof KeyFileError && /chmod 600/.test(error.message),
  )
  await chmod(file, 0o600)
  await writeFile(file, 'not a key')
  assert.throws(
    () => openCommitSigner(keys, email),
    (error: Error) => error instanceof KeyFileError && /remove it/.test(error.message),
  )
  assert.match(
    await readFile(path.join(keys, 'allowed_signers'), 'utf8'),
    /^nexus@nexus\.invalid namespaces="git" ssh-ed25519 /,
  )
})

test('a diff is unified, counts its lines, and shows new files from /dev/null', () => {
  const diff = diffOf([
    { path: 'src/b.ts', before: 'a\nb\nc\n', after: 'a\nB\nc\n' },
    { path: 'src/a.ts', before: null, after: 'new\n' },
    { path: 'src/same.ts', before: 'x', after: 'x' },
  ])
  assert.equal(
    diff.text,
    '--- /dev/null\n+++ b/src/a.ts\n@@ -0,0 +1,1 @@\n+new\n--- a/src/b.ts\n+++ b/src/b.ts\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n',
  )
  assert.equal(diff.linesAdded, 2)
  assert.equal(diff.linesRemoved, 1)
})

test('an object file appears whole: what cannot be written leaves neither a part nor a trace', async (t) => {
  const { folder } = await repository(t)
  const place = path.join(folder, 'objects')
  await mkdir(place)
  const file = path.join(place, 'whole')
  await wholeFiles.promises.writeFile(file, Buffer.from('all of it'))
  assert.equal(await readFile(file, 'utf8'), 'all of it')
  await mkdir(path.join(place, 'taken'))
  await assert.rejects(wholeFiles.promises.writeFile(path.join(place, 'taken'), Buffer.from('x')))
  assert.deepEqual((await readdir(place)).toSorted(), ['taken', 'whole'])
})
