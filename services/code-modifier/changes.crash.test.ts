import assert from 'node:assert/strict'
import fs from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import git from 'isomorphic-git'
import type { Journal } from '../platform/journal/journal.ts'
import { moveBranch, readBranch } from '../platform/target/refs.ts'
import type { ChangeState, Proposal } from './change.ts'
import { type Bench, branchesOf, commitsOf, type KeyObjects, makeBench, makeKeys } from './changes.testing.ts'
import type { Changes } from './changes.ts'
import { writeSignedCommit } from './git/commit.ts'
import { openCommitSigner } from './git/signature.ts'
import { writeChangedTree } from './git/tree.ts'

/** The process dies at each append in turn, before it or behind it; a fresh process is asked again, as the mind would. */

const id = 'c-0123456789abcdef'

class Killed extends Error {}

/** Where the process dies: at the n-th append, counted from 1. */
interface Death {
  readonly append: number
  readonly when: 'before' | 'behind'
}

/** Dies once, and from then on nothing works until another process uses the journal itself. */
function mortal(journal: Journal, death: Death | undefined): { journal: Journal; appends: () => number } {
  let appends = 0
  const append: Journal['append'] = async (stream, sequence, events) => {
    appends += 1
    if (death?.append === appends && death.when === 'before') throw new Killed()
    const stored = await journal.append(stream, sequence, events)
    if (death?.append === appends) throw new Killed()
    return stored
  }
  const bound = {
    append,
    read: journal.read.bind(journal),
    streams: journal.streams.bind(journal),
    close: journal.close.bind(journal),
  }
  return { journal: bound, appends: () => appends }
}

interface Keys {
  readonly keysFolder: string
  readonly keys: KeyObjects
}

type Step = 'commit' | 'promote' | 'others build on it' | 'revert'

const sequences: readonly (readonly Step[])[] = [
  ['commit'],
  ['commit', 'promote'],
  ['commit', 'revert'],
  ['commit', 'promote', 'revert'],
  ['commit', 'promote', 'others build on it', 'revert'],
]

interface Played {
  readonly state: ChangeState
  readonly branches: Record<string, string>
  readonly commits: number
  readonly trees: Record<string, string>
  readonly appends: number
}

async function play(
  t: TestContext,
  steps: readonly Step[],
  options: { keys: Keys; death?: Death; restartMs?: number },
): Promise<Played> {
  const bench = await makeBench(t, options.keys)
  const proposal = await bench.propose(id)
  const dying = mortal(bench.journal, options.death)
  let changes = bench.changesOn(dying.journal)
  for (const step of steps) {
    try {
      await take(step, bench, changes, proposal, options.keys)
    } catch (error) {
      if (!(error instanceof Killed)) throw error
      bench.clock.advance(options.restartMs ?? 0)
      changes = bench.changesOn(bench.journal)
      await take(step, bench, changes, proposal, options.keys)
    }
  }
  return { ...(await resultOf(bench, changes)), appends: dying.appends() }
}

async function take(
  step: Step,
  bench: Bench,
  changes: Changes,
  proposal: Proposal,
  keys: Keys,
): Promise<unknown> {
  const { envelope } = bench.warrantFor(proposal)
  switch (step) {
    case 'commit':
      return changes.commit(id, envelope)
    case 'promote':
      return changes.promote(id, envelope)
    case 'revert':
      return changes.revert(id, 'errors')
    case 'others build on it':
      return buildOn(bench, keys)
  }
}

async function buildOn({ gitdir }: Bench, { keysFolder }: Keys): Promise<void> {
  const { main = '' } = await branchesOf(gitdir)
  const files = [{ path: 'src/stock.ts', content: Buffer.from('export const stock = 9\n') }]
  const tree = await writeChangedTree(gitdir, main, files)
  const committer = { name: 'Team', email: 'team@example.test' }
  const signer = openCommitSigner(path.join(keysFolder, 'team'), committer.email)
  const commit = { tree, parent: main, message: 'Go on', committer, atMs: 1_790_000_000_000 }
  await moveBranch(gitdir, {
    branch: 'main',
    from: main,
    to: await writeSignedCommit(gitdir, commit, signer),
  })
}

async function resultOf({ gitdir }: Bench, changes: Changes): Promise<Omit<Played, 'appends'>> {
  const branches = await branchesOf(gitdir)
  const commits = (await commitsOf(gitdir)).filter(
    ({ message }) => message.includes(`Nexus-Change-Id: ${id}`) && !message.includes('Nexus-Reverts:'),
  )
  const trees: Record<string, string> = {}
  for (const [name, oid] of Object.entries(branches))
    trees[name] = (await git.readCommit({ fs, gitdir, oid })).commit.tree
  return { state: await changes.get(id), branches, trees, commits: commits.length }
}

async function makeSharedKeys(t: TestContext): Promise<Keys> {
  const keysFolder = await mkdtemp(path.join(tmpdir(), 'nexus-crash-keys-'))
  t.after(() => rm(keysFolder, { recursive: true, force: true }))
  return { keysFolder, keys: makeKeys() }
}

function deathsOf(appends: number): Death[] {
  const numbers = Array.from({ length: appends }, (_, index) => index + 1)
  return numbers.flatMap((append) => [
    { append, when: 'before' as const },
    { append, when: 'behind' as const },
  ])
}

for (const steps of sequences) {
  test(`killed at any append of "${steps.join(', ')}", it comes to the same end`, async (t) => {
    const keys = await makeSharedKeys(t)
    const { appends, ...undisturbed } = await play(t, steps, { keys })
    assert.equal(undisturbed.commits, 1)
    for (const death of deathsOf(appends)) {
      const at = `${death.when} append ${death.append}`
      const { appends: _, ...same } = await play(t, steps, { keys, death })
      assert.deepEqual(same, undisturbed, at)
      const late = await play(t, steps, { keys, death, restartMs: 60_000 })
      assert.equal(late.commits, 1, `${at}, restarted later`)
      assert.deepEqual(late.trees, undisturbed.trees, `${at}, restarted later`)
      assert.equal(late.state.promoted, undisturbed.state.promoted)
      assert.equal(late.state.revertCommit !== undefined, undisturbed.state.revertCommit !== undefined)
    }
  })
}

test('killed between the two branches of a revert, it puts back the other one too', async (t) => {
  const bench = await makeBench(t)
  const proposal = await bench.propose(id)
  const { envelope } = bench.warrantFor(proposal)
  const first = bench.changesOn(mortal(bench.journal, { append: 5, when: 'before' }).journal)
  const { commit = '' } = await first.commit(id, envelope)
  await first.promote(id, envelope)
  await assert.rejects(first.revert(id, 'errors'), Killed)
  const reverted = await readBranch(bench.gitdir, 'main')
  await moveBranch(bench.gitdir, { branch: 'main', from: reverted, to: commit })
  const state = await bench.changesOn(bench.journal).revert(id, 'errors')
  assert.equal(state.revertCommit, reverted)
  assert.equal(await readBranch(bench.gitdir, 'main'), reverted)
})

test('a promotion that was cut off is completed, though people have gone on from it and the warrant is over', async (t) => {
  const keys = await makeSharedKeys(t)
  const bench = await makeBench(t, keys)
  const { envelope } = bench.warrantFor(await bench.propose(id))
  const first = bench.changesOn(mortal(bench.journal, { append: 3, when: 'before' }).journal)
  await first.commit(id, envelope)
  await assert.rejects(first.promote(id, envelope), Killed)
  await buildOn(bench, keys)
  const { main } = await branchesOf(bench.gitdir)
  bench.clock.advance(3_600_000)
  const state = await bench.changesOn(bench.journal).promote(id, envelope)
  assert.equal(state.promoted, true)
  assert.equal(await readBranch(bench.gitdir, 'main'), main)
})
