import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { type Client, Code, createClient } from '@connectrpc/connect'
import git from 'isomorphic-git'
import { type Change, ChangeState } from '../gen/nexus/code_modifier/v1/change_pb.ts'
import type { CodeModifierService } from '../gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { ExecutionSandboxService } from '../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { eventually } from '../platform/eventually.testing.ts'
import { createGrpcTransport } from '../platform/grpc/channel.ts'
import { commitFiles } from '../platform/target/origin.testing.ts'
import { freePorts, listOf } from '../platform/testing.ts'
import { type Bench, branchesOf, failsWith, fileAt, makeBench } from './changes.testing.ts'
import type { ChangesParts } from './changes.ts'
import type { RecipeChange, RecipeInput, RecipeOutcome } from './recipes/outcome.ts'
import { AnalysisError } from './recipes/thread.ts'
import { type RunningSandbox, startSandbox } from './sandbox.testing.ts'

/** Proposals on a tiny target, its commands run by the real sandbox; only the recipe is the test's own. */

const timeout = 120_000
let root = ''
let sandbox: RunningSandbox

before(
  async () => {
    root = await mkdtemp(path.join(tmpdir(), 'nexus-propose-'))
    sandbox = await startSandbox({ folder: path.join(root, 'sandbox'), mountRoot: tmpdir() })
  },
  { timeout },
)

after(async () => {
  await sandbox.close()
  await rm(root, { recursive: true, force: true })
})

const price = 'export function price(count: number): number {\n  return count * 2\n}\n'

/** The benchmark's times follow from the text of the source, so that a noisy machine does not decide the test. */
const bench = `import { readFileSync, writeFileSync } from 'node:fs'
const text = readFileSync('src/price.ts', 'utf8')
const ms = text.includes('slow') ? 8 : 4
const samples = text.includes('unmeasured') ? { Other: [1, 1] } : { Price: Array.from({ length: 40 }, (_, at) => ms + at / 100) }
writeFileSync(process.env.NEXUS_BENCH_OUT, JSON.stringify({ samples }))
`

function manifest(commands: Readonly<Record<string, readonly string[]>> = {}): string {
  const all = { test: ['node', 'test.ts'], start: ['node', 'src/price.ts'], ...commands }
  return JSON.stringify({
    name: 'shop',
    services: [{ name: 'shop' }],
    commands: all,
    protected: ['src/law/**'],
    interventions: { enable_caching: { max_entries: 10 } },
  })
}

const shop = {
  'nexus.yaml': manifest(),
  'package.json': '{"name": "shop", "type": "module"}\n',
  'test.ts': `import assert from 'node:assert/strict'
import { price } from './src/price.ts'
assert.equal(price(2), 4)
console.log('# pass 3')
`,
  'bench.js': bench,
  'src/price.ts': price,
  'src/law/tax.ts': 'export const tax = 0.2\n',
}

type Files = Readonly<Record<string, string>>
type Recipe = (input: RecipeInput, run: number, signal: AbortSignal) => Promise<RecipeOutcome>

interface World extends Bench {
  readonly client: Client<typeof CodeModifierService>
  /** How often the recipe ran. */
  readonly runs: () => number
  /** How many proposals have been asked for and have read the target's state. */
  readonly syncs: () => number
}

async function startWorld(
  t: TestContext,
  { files = {}, recipe, parts }: { files?: Files; recipe: Recipe; parts?: Partial<ChangesParts> },
): Promise<World> {
  const bench = await makeBench(t, { files: { ...shop, ...files } })
  let runs = 0
  const runRecipe: ChangesParts['runRecipe'] = (_intervention, input, { signal }) =>
    recipe(input, ++runs, signal)
  let syncs = 0
  const sync = async (target: string) => {
    const synced = await bench.targets.sync(target)
    syncs += 1
    return synced
  }
  const targets = { ...bench.targets, sync }
  const changes = bench.changesOn(bench.journal, { sandbox: sandbox.client, runRecipe, targets, ...parts })
  return { ...bench, client: await bench.serve(changes), runs: () => runs, syncs: () => syncs }
}

/** A change of one file to this text. */
async function changeTo(folder: string, file: string, content: string): Promise<RecipeChange> {
  const bytes = await readFile(path.join(folder, file)).catch(() => undefined)
  return {
    kind: 'change',
    files: [
      { path: file, baseSha256: bytes ? createHash('sha256').update(bytes).digest('hex') : null, content },
    ],
    summary: `changes ${file}`,
    authorDetail: 'enable_caching@1',
    place: { path: file, line: 1, name: 'price' },
    profileShare: 0.5,
  }
}

/** Changes a file once; a second run finds nothing to do. */
const once =
  (content: string, file = 'src/price.ts'): Recipe =>
  async ({ folder }) => {
    const present = await readFile(path.join(folder, file), 'utf8').catch(() => '')
    return present === content
      ? { kind: 'refusal', reason: 'it is done already' }
      : changeTo(folder, file, content)
  }

const better = price.replace('return', '// remembered\n  return')

const wish = { objectiveId: 'o-1', turn: 1, target: 'shop', intervention: 'enable_caching' }

async function propose(client: World['client'], signal?: AbortSignal) {
  const progress: string[] = []
  let change: Change | undefined
  for await (const { event } of client.proposeChange(wish, { signal, timeoutMs: timeout })) {
    if (event.case === 'progress') progress.push(`${event.value.step}: ${event.value.detail}`)
    if (event.case === 'change') change = event.value
  }
  assert.ok(change)
  return { change, progress }
}

function worktrees({ dataFolder }: Bench): Promise<string[]> {
  return readdir(path.join(dataFolder, 'worktrees'))
}

async function nothingLeft(bench: Bench): Promise<void> {
  assert.deepEqual(await worktrees(bench), [])
  assert.deepEqual(Object.keys(await branchesOf(bench.gitdir)), ['main'])
}

test('a change that passes every gate is proposed with its evidence, and nothing is on a branch', {
  timeout,
}, async (t) => {
  const commands = { benchmark: ['node', 'bench.js'], lint: ['node', '-e', 'process.exit(0)'] }
  const seen: RecipeInput[] = []
  const recipe: Recipe = (input, run, signal) => {
    seen.push(input)
    return once(better)(input, run, signal)
  }
  const world = await startWorld(t, { files: { 'nexus.yaml': manifest(commands) }, recipe })
  const { change, progress } = await propose(world.client)
  assert.equal(change.refusal, '')
  assert.equal(change.state, ChangeState.PROPOSED)
  assert.deepEqual(
    change.checks.map((check) => check.name),
    [
      'tests-before',
      'profile',
      'recipe',
      'policy',
      'size',
      'types',
      'scan',
      'lint',
      'tests-after',
      'benchmark',
      'idempotence',
    ],
  )
  assert.ok(change.checks.every((check) => check.passed))
  assert.match(progress[0]!, /^tests-before: 3 passed in \d+\.\d s, in (docker|bubblewrap|unshare|host)$/)
  assert.equal(progress.length, change.checks.length)
  assert.match(change.sandboxTier, /^(docker|bubblewrap|unshare|host)$/)
  assert.deepEqual([change.linesAdded, change.linesRemoved], [1, 0])
  assert.match(
    change.diff,
    /^--- a\/src\/price\.ts\n\+\+\+ b\/src\/price\.ts\n@@ .*\n.*\n\+ {2}\/\/ remembered\n/,
  )
  assert.deepEqual(
    change.benchmark.map(({ operation, samplesBefore }) => [operation, samplesBefore]),
    [['Price', 40]],
  )
  assert.deepEqual(seen[0]?.benchmark[0]?.operation, 'Price')
  assert.equal(seen[0]?.parameters.max_entries, 10)
  assert.ok(seen[0]?.profiles.length, 'the recipe has a CPU profile')
  await nothingLeft(world)
  const again = await propose(world.client)
  assert.deepEqual(again, { change, progress: [] })
  assert.equal(world.runs(), 2, 'nothing is run again')
  const proposal = (await world.changesOn(world.journal).get(change.id)).proposal
  await world.client.commitChange({ changeId: change.id, warrant: world.warrantFor(proposal) })
  assert.equal(await fileAt(world.gitdir, change.branch, 'src/price.ts'), better)
})

interface Refusal {
  readonly name: string
  readonly files?: Files
  readonly recipe: Recipe
  readonly reason: RegExp
  /** The gate that said no; empty for what is refused outside of one. */
  readonly gate: string
}

const neverAsked: Recipe = () => assert.fail('the recipe is not asked')
const measured = { 'nexus.yaml': manifest({ benchmark: ['node', 'bench.js'] }) }
const manyLines = Array.from({ length: 201 }, (_, at) => `export const line${at} = ${at}\n`).join('')

const refusals: readonly Refusal[] = [
  {
    name: 'tests that fail before the change, and nothing else is tried',
    files: { 'test.ts': "throw new Error('the shelves are empty')\n" },
    recipe: neverAsked,
    reason:
      /^the target's tests fail before the change: it ended with exit code 1 [\s\S]*the shelves are empty/,
    gate: 'tests-before',
  },
  {
    name: 'tests that fail after the change',
    recipe: once(price.replace('* 2', '* 3')),
    reason: /^the target's tests fail after the change: it ended with exit code 1/,
    gate: 'tests-after',
  },
  {
    name: 'a benchmark that writes no file',
    files: { 'nexus.yaml': manifest({ benchmark: ['node', '-e', '1'] }) },
    recipe: neverAsked,
    reason:
      /^the target's benchmark fails before the change: it wrote no file where the variable NEXUS_BENCH_OUT says/,
    gate: 'profile',
  },
  {
    name: 'a benchmark that got clearly worse',
    files: measured,
    recipe: once(price.replace('return', '// slow\n  return')),
    reason: /^the target's benchmark got slower by at least \d+ %/,
    gate: 'benchmark',
  },
  {
    name: 'a benchmark that no longer measures an operation',
    files: measured,
    recipe: once(price.replace('return', '// unmeasured\n  return')),
    reason: /^the target's benchmark does not measure Price after the change/,
    gate: 'benchmark',
  },
  {
    name: 'a lint that fails after the change',
    files: {
      'nexus.yaml': manifest({ lint: ['node', '-e', "console.error('no remarks'); process.exit(3)"] }),
    },
    recipe: once(better),
    reason: /^the target's lint fails after the change: it ended with exit code 3 [\s\S]*no remarks/,
    gate: 'lint',
  },
  {
    name: 'a path that nexus.yaml protects',
    recipe: once('export const tax = 0\n', 'src/law/tax.ts'),
    reason: /^src\/law\/tax\.ts may not be changed: nexus\.yaml protects it/,
    gate: 'policy',
  },
  {
    name: 'a path that no target may have changed',
    recipe: once('{}', 'package.json'),
    reason: /^package\.json may not be changed: NEXUS changes no such file/,
    gate: 'policy',
  },
  {
    name: 'a path outside the sources',
    recipe: once('process.exit(0)\n', 'test.ts'),
    reason: /^test\.ts may not be changed: it is none of the sources/,
    gate: 'policy',
  },
  {
    name: 'a path outside the repository',
    recipe: once('x', '../elsewhere.ts'),
    reason: /may not be changed: it is not a plain path inside the repository/,
    gate: 'policy',
  },
  {
    name: 'too many lines',
    recipe: once(manyLines, 'src/lines.ts'),
    reason: /^it changes 201 lines, at most 200 are permitted/,
    gate: 'size',
  },
  {
    name: 'too many bytes',
    recipe: once(`export const long = '${'x'.repeat(100_000)}'\n`, 'src/long.ts'),
    reason: /^its diff has \d+ bytes, at most 100000 are permitted/,
    gate: 'size',
  },
  {
    name: 'a type error that the base does not have',
    recipe: once(price.replace('count * 2', "'much'")),
    reason: /^the change has type errors: src\/price\.ts:2: TS2322/,
    gate: 'types',
  },
  {
    name: 'something that the scanners block',
    recipe: once(price.replace('count * 2', 'eval(String(count * 2)) as number')),
    reason: /^the scanners found \d+ new: src\/price\.ts:2 /,
    gate: 'scan',
  },
  {
    name: 'a recipe that finds the same to do in its own result',
    recipe: async ({ folder }) => changeTo(folder, 'src/price.ts', better),
    reason: /^a second run would change price again/,
    gate: 'idempotence',
  },
  {
    name: 'a recipe that refuses',
    recipe: async () => ({ kind: 'refusal', reason: 'nothing pure is hot' }),
    reason: /^nothing pure is hot/,
    gate: 'recipe',
  },
  {
    name: 'a target that cannot be analysed',
    recipe: () => Promise.reject(new AnalysisError('the analysis took longer than 60.0 s')),
    reason: /^the analysis took longer than 60\.0 s/,
    gate: 'recipe',
  },
  {
    name: 'a recipe that changes nothing',
    recipe: ({ folder }) => changeTo(folder, 'src/price.ts', price),
    reason: /^the recipe changed nothing/,
    gate: 'policy',
  },
  {
    name: 'a recipe that saw another file than the commit has',
    recipe: async ({ folder }) => {
      await writeFile(path.join(folder, 'src/price.ts'), `${price}// by the tests\n`)
      return changeTo(folder, 'src/price.ts', better)
    },
    reason: /^the recipe saw another src\/price\.ts than the base has/,
    gate: 'policy',
  },
]

for (const { name, files, recipe, reason, gate } of refusals) {
  test(`refused: ${name}`, { timeout }, async (t) => {
    const world = await startWorld(t, { files, recipe })
    const { change } = await propose(world.client)
    assert.match(change.refusal, reason)
    assert.equal(change.state, ChangeState.REFUSED)
    assert.equal(change.tree, '')
    const last = change.checks.at(-1)
    assert.equal(last?.name, gate)
    assert.ok(change.checks.slice(0, -1).every((check) => check.passed))
    await nothingLeft(world)
    assert.equal((await world.client.getChange({ changeId: change.id })).change?.refusal, change.refusal)
  })
}

test('refused: a file that is a symbolic link in the repository, which a change would follow', {
  timeout,
}, async (t) => {
  const world = await startWorld(t, { recipe: once(better, 'src/alias.ts') })
  await symlink('law/tax.ts', path.join(world.originPath, 'src', 'alias.ts'))
  await git.add({ fs, dir: world.originPath, filepath: 'src/alias.ts' })
  await commitFiles(world.originPath, {}, 'Link')
  const { change } = await propose(world.client)
  assert.match(change.refusal, /^src\/alias\.ts may not be changed: src\/alias\.ts is a symbolic link/)
  await nothingLeft(world)
})

test('refused: an intervention that nexus.yaml does not permit, before anything is run', {
  timeout,
}, async (t) => {
  const world = await startWorld(t, { recipe: neverAsked })
  const events = await listOf(world.client.proposeChange({ ...wish, intervention: 'add_timeout' }))
  const change = events.at(-1)?.event.value as Change
  assert.match(change.refusal, /^nexus\.yaml does not permit add_timeout \(interventions: enable_caching\)/)
  assert.deepEqual(change.checks, [])
})

test('a target in a bad state is told with its remedy, and nothing is journalled', { timeout }, async (t) => {
  const world = await startWorld(t, { recipe: neverAsked })
  await writeFile(path.join(world.originPath, 'src/price.ts'), '// not committed\n')
  await assert.rejects(
    propose(world.client),
    failsWith(
      Code.FailedPrecondition,
      /has uncommitted changes \(src\/price\.ts\): commit, stash or ignore them/,
    ),
  )
  const unknown = listOf(world.client.proposeChange({ ...wish, target: 'garage' }))
  await assert.rejects(unknown, failsWith(Code.NotFound, /"garage" is not known; there is shop/))
  assert.deepEqual(await world.journal.streams(''), [])
})

/** A recipe that waits until it is told to go on, or is aborted; then it ends when it may. */
function waitingRecipe() {
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  const recipe: Recipe = async (input, run, signal) => {
    begun.resolve()
    signal.addEventListener('abort', () => aborted.resolve(), { once: true })
    await Promise.race([goOn.promise, aborted.promise])
    if (!signal.aborted) return once(better)(input, run, signal)
    await end.promise
    throw signal.reason
  }
  return {
    recipe,
    begun: begun.promise,
    aborted: aborted.promise,
    goOn: goOn.resolve,
    end: end.resolve,
  }
}

test('two callers join one proposal, and the one that stays gets it though the first has gone', {
  timeout,
}, async (t) => {
  const { recipe, begun, goOn } = waitingRecipe()
  const world = await startWorld(t, { recipe })
  const first = new AbortController()
  const gone = propose(world.client, first.signal)
  await begun
  const second = propose(world.client)
  const third = propose(world.client)
  await eventually('all three have come', () => world.syncs() === 3)
  first.abort()
  await assert.rejects(gone)
  goOn()
  const [one, other] = await Promise.all([second, third])
  assert.deepEqual(one.change, other.change)
  assert.equal(one.change.refusal, '')
  assert.equal(world.runs(), 2, 'the recipe and its second run')
})

test('a proposal that nobody waits for is given up and cleared away; asked again, it is made', {
  timeout,
}, async (t) => {
  const waiting = waitingRecipe()
  const world = await startWorld(t, { recipe: waiting.recipe })
  const caller = new AbortController()
  const gone = propose(world.client, caller.signal)
  await waiting.begun
  assert.ok((await worktrees(world)).length > 0)
  caller.abort()
  await assert.rejects(gone)
  await waiting.aborted
  waiting.goOn()
  // At once, while the one that was given up is still at work in the same folders.
  const again = propose(world.client)
  await eventually('it is asked again', () => world.syncs() === 2)
  waiting.end()
  const { change } = await again
  assert.equal(change.refusal, '')
  assert.equal(change.state, ChangeState.PROPOSED)
  await nothingLeft(world)
})

test('a caller that goes while the tests run ends them, and their folders are gone', {
  timeout,
}, async (t) => {
  const signals: AbortSignal[] = []
  const watched: typeof sandbox.client = {
    ...sandbox.client,
    execute: (request, options) => {
      if (options?.signal) signals.push(options.signal)
      return sandbox.client.execute(request, options)
    },
  }
  const files = { 'test.ts': 'setInterval(() => console.log("testing"), 50)\n' }
  const world = await startWorld(t, { files, recipe: neverAsked, parts: { sandbox: watched } })
  const caller = new AbortController()
  const gone = propose(world.client, caller.signal)
  await eventually('the tests run', () => signals.length > 0, 60_000)
  caller.abort()
  await assert.rejects(gone)
  await eventually('the folders are gone', async () => (await worktrees(world)).length === 0, 60_000)
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true],
  )
  assert.deepEqual(await world.journal.streams('change/'), [])
})

test('a proposal that the process’s end cuts off can be asked for again of the next process', {
  timeout,
}, async (t) => {
  const drain = new AbortController()
  const waiting = waitingRecipe()
  const world = await startWorld(t, { recipe: waiting.recipe, parts: { drain: drain.signal } })
  const asked = propose(world.client)
  const told = assert.rejects(asked, failsWith(Code.Unavailable, /NEXUS is stopping/))
  await waiting.begun
  drain.abort(new Error('the process drains'))
  waiting.end()
  await told
  assert.deepEqual(await worktrees(world), [])
  assert.deepEqual(await world.journal.streams('change/'), [])
})

test('a sandbox that is away is no refusal: the call may be made again', { timeout }, async (t) => {
  const [port = 0] = await freePorts(1)
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}` })
  t.after(() => transport.close())
  const away = createClient(ExecutionSandboxService, transport)
  const world = await startWorld(t, { recipe: once(better), parts: { sandbox: away } })
  await assert.rejects(propose(world.client), failsWith(Code.Unavailable, /did not answer/))
  assert.deepEqual(await world.journal.streams('change/'), [])
  await nothingLeft(world)
})

test('what a killed process left is removed at the start, and nothing else', async (t) => {
  const world = await startWorld(t, { recipe: neverAsked })
  const folders = [
    'worktrees/c-1-base/src',
    'worktrees/c-1-change.tmp-0123456789ab',
    'worktrees/c-1-profiles',
    'repositories/shop.git.tmp-0123456789ab/objects',
    'dependencies/abc.tmp-0123456789ab',
    'dependencies/abc.tmp-0123456789ab-kept',
    'dependencies/abc/node_modules',
  ]
  for (const folder of folders) await mkdir(path.join(world.dataFolder, folder), { recursive: true })
  await writeFile(path.join(world.dataFolder, 'worktrees', 'c-1-base', 'src', 'a.ts'), '')
  await world.changesOn(world.journal).cleanUp()
  const left = async (folder: string) => await readdir(path.join(world.dataFolder, folder))
  assert.deepEqual(await left('worktrees'), [])
  assert.deepEqual(await left('repositories'), ['shop.git'])
  assert.deepEqual(await left('dependencies'), ['abc'])
})
