import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import fs from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import git from 'isomorphic-git'
import { Registry } from 'prom-client'
import { CodeModifierService } from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { ExecutionSandboxService } from '../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { Author, type ChangeEvidence, ChangeEvidenceSchema } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { type TestClock, testClock } from '../platform/clock.testing.ts'
import type { Journal } from '../platform/journal/journal.ts'
import { openJournal } from '../platform/journal/open.ts'
import { mount } from '../platform/service.ts'
import { makeOrigin } from '../platform/target/origin.testing.ts'
import { silentLog, startTestServer } from '../platform/testing.ts'
import { type ForgersKit, validWarrant } from '../platform/warrant/forgeries.testing.ts'
import { digestOfProposal, type Proposal, streamOf } from './change.ts'
import { Changes, type ChangesParts } from './changes.ts'
import { createEvents } from './events.ts'
import { openCommitSigner } from './git/signature.ts'
import { type FileInTree, writeChangedTree } from './git/tree.ts'
import { createCodeModifier } from './service.ts'
import { createTargets, type Targets } from './targets.ts'

// For tests: a target `shop` with its mirror, a journal, keys, and changes that are journalled as if they had been proposed.

export const email = 'nexus@nexus.invalid'

export const shopFiles = {
  'nexus.yaml':
    'name: shop\nservices: [{name: shop}]\ncommands: {test: [node, --test], start: [node, main.ts]}\n',
  'src/price.ts': 'export const price = 1\n',
  'src/stock.ts': 'export const stock = 1\n',
  'src/deep/sum.ts': 'export const sum = 1\n',
}

/** What a change of the tests does: one file changed, one added. */
export const changedFiles: readonly FileInTree[] = [
  { path: 'src/price.ts', content: Buffer.from('export const price = 2\n') },
  { path: 'src/deep/memo.ts', content: Buffer.from('export const memo = 2\n') },
]

export interface Bench {
  readonly folder: string
  readonly dataFolder: string
  readonly originPath: string
  readonly gitdir: string
  readonly journal: Journal
  readonly clock: TestClock
  readonly targets: Targets
  readonly keys: KeyObjects
  /** Fresh changes on the same journal and mirror, as after a restart. */
  changesOn(journal: Journal, parts?: Partial<ChangesParts>): Changes
  /** Serves `changes` over a real socket until the test ends. */
  serve(changes: Changes): Promise<Client<typeof CodeModifierService>>
  /** Journals a change as proposed, its tree in the mirror. */
  propose(id: string, change?: Partial<Proposal>, files?: readonly FileInTree[]): Promise<Proposal>
  kitFor(proposal: Proposal): ForgersKit
  warrantFor(proposal: Proposal): { envelope: string }
}

export interface KeyObjects {
  readonly governor: KeyObject
  readonly governorPublic: KeyObject
  readonly other: KeyObject
}

export function makeKeys(): KeyObjects {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    governor: privateKey,
    governorPublic: publicKey,
    other: generateKeyPairSync('ed25519').privateKey,
  }
}

export interface BenchOptions {
  readonly target?: string
  readonly files?: Readonly<Record<string, string>>
  /** The folder of the commit signer's key, and the governor's keys: shared, the same commit has the same id in each bench. */
  readonly keysFolder?: string
  readonly keys?: KeyObjects
}

export async function makeBench(
  t: TestContext,
  { target = 'shop', files = shopFiles, keysFolder, keys = makeKeys() }: BenchOptions = {},
): Promise<Bench> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nexus-changes-'))
  const dataFolder = path.join(folder, 'data')
  const originPath = path.join(folder, target)
  await makeOrigin(originPath, files)
  const clock = testClock()
  const targets = createTargets(new Map([[target, originPath]]), dataFolder)
  const gitdir = targets.mirrorOf(target)
  await targets.sync(target)
  const journal = await openJournal(`sqlite:${path.join(dataFolder, 'journal.sqlite')}`, { clock })
  t.after(async () => {
    await journal.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  })
  const signer = openCommitSigner(keysFolder ?? path.join(dataFolder, 'keys'), email)
  const changesOn: Bench['changesOn'] = (on, parts) =>
    new Changes({ ...partsFor({ dataFolder, clock, targets, keys, signer }), journal: on, ...parts })
  const kitFor = (proposal: Proposal): ForgersKit => ({
    key: keys.governor,
    otherKey: keys.other,
    evidence: evidenceOf(proposal),
    nowMs: clock.nowMs(),
  })
  return {
    folder,
    dataFolder,
    originPath,
    gitdir,
    journal,
    clock,
    targets,
    keys,
    changesOn,
    serve: (changes) => serve(t, changes, targets),
    propose: (id, change, files = changedFiles) =>
      journalProposal({ journal, targets, gitdir }, id, change, files),
    kitFor,
    warrantFor: (proposal) => ({ envelope: validWarrant(kitFor(proposal)) }),
  }
}

function partsFor(given: {
  dataFolder: string
  clock: TestClock
  targets: Targets
  keys: KeyObjects
  signer: ChangesParts['signer']
}): Omit<ChangesParts, 'journal'> {
  const { dataFolder, clock, targets, keys, signer } = given
  const callsNobody = () => assert.fail('no change of this test runs anything')
  return {
    sandbox: createClient(ExecutionSandboxService, { unary: callsNobody, stream: callsNobody }),
    runRecipe: callsNobody,
    clock,
    dataFolder,
    benchmarkRuns: 1,
    environment: { PATH: process.env.PATH },
    targets,
    signer,
    committer: { name: 'NEXUS', email },
    publicKeys: [keys.governorPublic],
    events: createEvents(silentLog, new Registry()),
    drain: new AbortController().signal,
  }
}

async function serve(t: TestContext, changes: Changes, targets: Targets) {
  const server = await startTestServer([mount(CodeModifierService, createCodeModifier(changes, targets))])
  t.after(server.close)
  return createClient(CodeModifierService, server.transport)
}

async function journalProposal(
  bench: Pick<Bench, 'journal' | 'targets' | 'gitdir'>,
  id: string,
  change: Partial<Proposal> = {},
  files: readonly FileInTree[],
): Promise<Proposal> {
  const { head, branch } = await bench.targets.sync('shop')
  const evidence: Omit<Proposal, 'digest'> = {
    id,
    objectiveId: 'o-1',
    turn: 1,
    target: 'shop',
    intervention: 'enable_caching',
    base: head,
    targetBranch: branch,
    tree: await writeChangedTree(bench.gitdir, head, files),
    diff: '--- a/src/price.ts\n+++ b/src/price.ts\n',
    paths: files.map((file) => file.path),
    linesAdded: 2,
    linesRemoved: 1,
    author: Author.RECIPE,
    authorDetail: 'enable_caching@1',
    summary: 'keeps the results of price',
    findings: [],
    checks: [{ name: 'tests-after', passed: true, detail: '3 passed', durationMs: 12, tier: 'bubblewrap' }],
    benchmark: [],
    profileShare: 0.5,
    sandboxTier: 'bubblewrap',
    refusal: '',
    ...change,
  }
  const proposal = { ...evidence, digest: change.digest ?? digestOfProposal(evidence) }
  await bench.journal.append(streamOf(id), 0, [{ type: 'proposed', data: proposal }])
  return proposal
}

/** What the governor would be shown of a change. */
export function evidenceOf(proposal: Proposal): ChangeEvidence {
  return create(ChangeEvidenceSchema, {
    changeId: proposal.id,
    objectiveId: proposal.objectiveId,
    target: proposal.target,
    intervention: proposal.intervention,
    baseCommit: proposal.base,
    tree: proposal.tree,
    digest: proposal.digest,
    author: proposal.author,
    authorDetail: proposal.authorDetail,
    checksPassed: true,
    paths: [...proposal.paths],
    sandboxTier: proposal.sandboxTier,
  })
}

/** Expects a ConnectError of this code whose message matches. */
export function failsWith(code: Code, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    const { code: actual, rawMessage } = ConnectError.from(error)
    assert.equal(Code[actual], Code[code], rawMessage)
    assert.match(rawMessage, message)
    return true
  }
}

/** Everything that a refused call must leave as it is: each branch, object and journal event. */
export async function worldOf({ gitdir, journal }: Pick<Bench, 'gitdir' | 'journal'>): Promise<unknown> {
  const streams = await journal.streams('change/')
  const events = await Promise.all(
    streams.map(async (stream) => (await journal.read(stream)).map((one) => one.hash)),
  )
  const files = await readdir(gitdir, { recursive: true })
  return { branches: await branchesOf(gitdir), files: files.toSorted(), events }
}

export async function branchesOf(gitdir: string): Promise<Record<string, string>> {
  const names = await git.listBranches({ fs, gitdir })
  const heads = names.map(async (name) => [
    name,
    await git.resolveRef({ fs, gitdir, ref: `refs/heads/${name}` }),
  ])
  return Object.fromEntries(await Promise.all(heads)) as Record<string, string>
}

/** Every commit that the mirror holds, reached by a branch or not. */
export async function commitsOf(gitdir: string): Promise<{ oid: string; message: string; tree: string }[]> {
  const commits: { oid: string; message: string; tree: string }[] = []
  const folders = (await readdir(path.join(gitdir, 'objects'))).filter((name) => /^[0-9a-f]{2}$/.test(name))
  for (const start of folders) {
    for (const rest of await readdir(path.join(gitdir, 'objects', start))) {
      const { type } = await git.readObject({ fs, gitdir, oid: start + rest, format: 'content' })
      if (type !== 'commit') continue
      const { commit, oid } = await git.readCommit({ fs, gitdir, oid: start + rest })
      commits.push({ oid, message: commit.message, tree: commit.tree })
    }
  }
  return commits
}

/** The text of a file at the head of a branch; undefined where there is none. */
export async function fileAt(gitdir: string, branch: string, filepath: string): Promise<string | undefined> {
  const oid = await git.resolveRef({ fs, gitdir, ref: `refs/heads/${branch}` })
  try {
    return Buffer.from((await git.readBlob({ fs, gitdir, oid, filepath })).blob).toString('utf8')
  } catch {
    return undefined
  }
}

/** The stored text of a file; for looking at what a service left. */
export function textOf(...place: string[]): Promise<string> {
  return readFile(path.join(...place), 'utf8')
}
