import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import git from 'isomorphic-git'
import { ManifestError } from './manifest.ts'
import { syncMirror } from './mirror.ts'
import { commitFiles, makeOrigin } from './origin.testing.ts'
import { moveBranch, withRepositoryLock } from './refs.ts'
import { openRepository } from './repository.ts'
import { TargetError, type TargetFault } from './target-error.ts'

const manifest =
  'name: shop\nservices: [{name: shop}]\ncommands: {test: [node, --test], start: [node, main.ts]}\n'
const files = { 'nexus.yaml': manifest, 'main.ts': 'export const one = 1\n', '.gitignore': 'node_modules/\n' }

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nexus-mirror-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const places = (folder: string) => ({
  originPath: path.join(folder, 'origin'),
  mirrorPath: path.join(folder, 'repositories', 'shop.git'),
})

async function refused(work: Promise<unknown>, fault: TargetFault, message: RegExp): Promise<void> {
  await assert.rejects(
    work,
    (error) => error instanceof TargetError && error.fault === fault && message.test(error.message),
  )
}

test('a mirror is made, follows its origin and never writes into it', () =>
  withFolder(async (folder) => {
    const { originPath, mirrorPath } = places(folder)
    const first = await makeOrigin(originPath, files)
    const before = await contentOf(originPath)
    const synced = await syncMirror({ originPath, mirrorPath })
    assert.equal(synced.head, first)
    assert.equal(synced.manifest.name, 'shop')
    assert.deepEqual(await contentOf(originPath), before)
    const second = await commitFiles(originPath, { 'main.ts': 'export const one = 2\n' }, 'Change')
    assert.equal((await syncMirror({ originPath, mirrorPath })).head, second)
    const main = await synced.repository.readFile(second, 'main.ts')
    assert.equal(Buffer.from(main!).toString(), 'export const one = 2\n')
    assert.deepEqual(
      (await synced.repository.listFiles(second)).map((file) => file.path),
      ['.gitignore', 'main.ts', 'nexus.yaml'],
    )
  }))

test('a mirror that is ahead by promotions stays, and one that diverged is refused', () =>
  withFolder(async (folder) => {
    const { originPath, mirrorPath } = places(folder)
    const first = await makeOrigin(originPath, files)
    const { repository } = await syncMirror({ originPath, mirrorPath })
    const author = { name: 'n', email: 'n@example.test', timestamp: 1_760_000_001, timezoneOffset: 0 }
    const promoted = await git.writeCommit({
      fs,
      gitdir: mirrorPath,
      commit: {
        tree: await repository.treeOf(first),
        parent: [first],
        message: 'p\n',
        author,
        committer: author,
      },
    })
    await moveBranch(mirrorPath, { branch: 'main', from: first, to: promoted })
    assert.equal((await syncMirror({ originPath, mirrorPath })).head, promoted)
    await commitFiles(originPath, { 'main.ts': 'export const one = 3\n' }, 'Elsewhere')
    await refused(syncMirror({ originPath, mirrorPath }), 'diverged', /have diverged: pull/)
    assert.equal(await openRepository(mirrorPath).headOf('main'), promoted)
  }))

test('twenty callers at once make one mirror, whole', () =>
  withFolder(async (folder) => {
    const { originPath, mirrorPath } = places(folder)
    const head = await makeOrigin(originPath, files)
    const all = await Promise.all(Array.from({ length: 20 }, () => syncMirror({ originPath, mirrorPath })))
    assert.ok(all.every((synced) => synced.head === head))
    assert.deepEqual(await readdir(path.dirname(mirrorPath)), ['shop.git'])
  }))

test('of many who move a branch from where it was, one does, and the others are told', () =>
  withFolder(async (folder) => {
    const { originPath, mirrorPath } = places(folder)
    const head = await makeOrigin(originPath, files)
    const { repository } = await syncMirror({ originPath, mirrorPath })
    const wanted = Array.from({ length: 9 }, (_, index) => String(index + 1).repeat(40))
    const moves = wanted.map((to) =>
      withRepositoryLock(mirrorPath, () => moveBranch(mirrorPath, { branch: 'main', from: head, to })),
    )
    const settled = await Promise.allSettled(moves)
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const result of settled) {
      if (result.status === 'rejected') assert.equal((result.reason as TargetError).fault, 'moved')
    }
    assert.equal(await repository.headOf('main'), wanted[0])
    assert.equal(await repository.headOf('nexus/absent'), undefined)
  }))

test('bare, packed and linked repositories are read, shallow and borrowing ones refused', (t) =>
  withFolder(async (folder) => {
    if (!hasGit()) return t.skip('git is not on PATH: needed to make such repositories')
    const { originPath } = places(folder)
    const head = await makeOrigin(originPath, files)
    run(originPath, 'gc', '-q')
    run(folder, 'clone', '-q', '--bare', originPath, 'bare.git')
    run(folder, 'clone', '-q', '--shared', originPath, 'shared')
    run(originPath, 'worktree', 'add', '-q', '--detach', '../linked')
    for (const name of ['origin', 'bare.git', 'linked']) {
      const mirrorPath = path.join(folder, 'repositories', `${name}.git`)
      const synced = await syncMirror({ originPath: path.join(folder, name), mirrorPath })
      assert.equal(synced.head, head, name)
      run(mirrorPath, 'fsck', '--strict')
    }
    const mirrorPath = path.join(folder, 'repositories', 'other.git')
    const shared = syncMirror({ originPath: path.join(folder, 'shared'), mirrorPath })
    await refused(shared, 'unsupported', /borrows objects.*git repack/)
    await commitFiles(originPath, { 'main.ts': '2\n' }, 'Two')
    run(folder, 'clone', '-q', '--depth', '1', `file://${originPath}`, 'cut')
    await refused(
      syncMirror({ originPath: path.join(folder, 'cut'), mirrorPath }),
      'unsupported',
      /unshallow/,
    )
  }))

test('an origin that cannot be used is refused with what is wrong and the remedy', () =>
  withFolder(async (folder) => {
    const { originPath, mirrorPath } = places(folder)
    await refused(syncMirror({ originPath, mirrorPath }), 'not-a-repository', /is not a git repository: name/)
    await mkdir(originPath)
    await refused(syncMirror({ originPath, mirrorPath }), 'not-a-repository', /is not a git repository/)
    for (const url of ['https://example.test/shop.git', 'git@example.test:shop.git']) {
      await refused(
        syncMirror({ originPath: url, mirrorPath }),
        'not-local',
        /local repositories only: clone it/,
      )
    }
    await git.init({ fs, dir: originPath, defaultBranch: 'main' })
    await refused(syncMirror({ originPath, mirrorPath }), 'no-branch', /no commit on the branch main/)
    await commitFiles(originPath, { 'main.ts': '1\n' }, 'No manifest')
    await refused(
      syncMirror({ originPath, mirrorPath }),
      'no-manifest',
      /no nexus.yaml at its root: write one/,
    )
    await commitFiles(originPath, { 'nexus.yaml': 'name: shop\nservices: []\n' }, 'Malformed')
    await assert.rejects(
      syncMirror({ originPath, mirrorPath }),
      (error) => error instanceof ManifestError && /services must hold at least one/.test(error.message),
    )
    await commitFiles(originPath, { 'nexus.yaml': `${manifest}branch: release\n` }, 'Other branch')
    await refused(syncMirror({ originPath, mirrorPath }), 'no-branch', /branch release/)
    await assert.rejects(readdir(path.dirname(mirrorPath)), /ENOENT/)
  }))

test('uncommitted changes are refused by path, ignored files are not', () =>
  withFolder(async (folder) => {
    const { originPath, mirrorPath } = places(folder)
    await makeOrigin(originPath, files)
    await mkdir(path.join(originPath, 'node_modules'))
    await writeFile(path.join(originPath, 'node_modules', 'x.js'), '')
    await syncMirror({ originPath, mirrorPath })
    await writeFile(path.join(originPath, 'main.ts'), 'export const one = 9\n')
    await refused(
      syncMirror({ originPath, mirrorPath }),
      'uncommitted',
      /\(main.ts\): commit, stash or ignore/,
    )
    for (let index = 0; index < 7; index++) await writeFile(path.join(originPath, `new-${index}.ts`), '')
    await refused(syncMirror({ originPath, mirrorPath }), 'uncommitted', /new-3.ts and 3 more/)
  }))

test('a commit becomes files, and a link that leads out of it does not', () =>
  withFolder(async (folder) => {
    const { originPath, mirrorPath } = places(folder)
    await makeOrigin(originPath, files)
    await symlink('main.ts', path.join(originPath, 'inside'))
    await writeFile(path.join(originPath, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 })
    const head = await commitFilesAt(originPath, ['inside', 'run.sh'])
    const { repository } = await syncMirror({ originPath, mirrorPath })
    await repository.materialise(head, path.join(folder, 'out'))
    assert.equal(await readFile(path.join(folder, 'out', 'inside'), 'utf8'), files['main.ts'])
    assert.equal(fs.statSync(path.join(folder, 'out', 'run.sh')).mode & 0o111, 0o111)
    for (const [index, target] of ['../../etc', '/etc/passwd'].entries()) {
      await symlink(target, path.join(originPath, `outside-${index}`))
      const bad = await commitFilesAt(originPath, [`outside-${index}`])
      await syncMirror({ originPath, mirrorPath })
      const place = path.join(folder, `bad-${index}`)
      await refused(repository.materialise(bad, place), 'unsupported', /leads out of it/)
    }
  }))

async function commitFilesAt(dir: string, names: readonly string[]): Promise<string> {
  for (const filepath of names) await git.add({ fs, dir, filepath })
  return git.commit({ fs, dir, message: 'Links', author: { name: 't', email: 't@example.test' } })
}

async function contentOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const read = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => {
      const place = path.join(entry.parentPath, entry.name)
      return [place, `${fs.statSync(place).mtimeMs} ${await readFile(place, 'base64')}`] as const
    })
  return Object.fromEntries(await Promise.all(read))
}

function hasGit(): boolean {
  try {
    execFileSync('git', ['--version'])
    return true
  } catch {
    return false
  }
}

function run(cwd: string, ...args: string[]): void {
  execFileSync('git', ['-c', 'safe.directory=*', '-c', 'protocol.file.allow=always', ...args], {
    cwd,
    stdio: 'pipe',
  })
}
