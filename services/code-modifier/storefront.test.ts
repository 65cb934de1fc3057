import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Change } from '../gen/nexus/code_modifier/v1/change_pb.ts'
import { systemClock } from '../platform/clock.ts'
import { listOf } from '../platform/testing.ts'
import { type Bench, branchesOf, fileAt, makeBench } from './changes.testing.ts'
import { runRecipe } from './recipes/run.ts'
import { type RunningSandbox, startSandbox } from './sandbox.testing.ts'

/** Both interventions on the example target, with nothing replaced: its recipes, its tests, its benchmark, the sandbox. */

const timeout = 300_000
const storefront = fileURLToPath(new URL('../../examples/storefront', import.meta.url))
let root = ''
let sandbox: RunningSandbox

before(
  async () => {
    root = await mkdtemp(path.join(tmpdir(), 'nexus-storefront-'))
    sandbox = await startSandbox({ folder: path.join(root, 'sandbox'), mountRoot: tmpdir() })
  },
  { timeout },
)

after(async () => {
  await sandbox.close()
  await rm(root, { recursive: true, force: true })
})

async function textsOf(folder: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const name = path.relative(folder, path.join(entry.parentPath, entry.name))
    if (entry.isFile() && !name.split('/').includes('node_modules'))
      texts[name] = await readFile(path.join(folder, name), 'utf8')
  }
  return texts
}

async function carryOut(t: TestContext, bench: Bench, intervention: string): Promise<Change> {
  const parts = {
    sandbox: sandbox.client,
    runRecipe,
    benchmarkRuns: 1,
    clock: systemClock,
    environment: process.env,
  }
  const changes = bench.changesOn(bench.journal, parts)
  const client = await bench.serve(changes)
  const wish = { objectiveId: 'o-1', turn: 1, target: 'storefront', intervention }
  const events = await listOf(client.proposeChange(wish, { timeoutMs: timeout }))
  const change = events.at(-1)?.event.value as Change
  assert.equal(change.refusal, '')
  assert.deepEqual(await readdir(path.join(bench.dataFolder, 'worktrees')), [])
  assert.equal((await branchesOf(bench.gitdir))[change.branch], undefined)
  t.diagnostic(change.checks.map(({ name, durationMs }) => `${name} ${durationMs} ms`).join(', '))
  bench.clock.setNow(systemClock.nowMs())
  const { proposal } = await changes.get(change.id)
  const ask = { changeId: change.id, warrant: bench.warrantFor(proposal) }
  const { change: committed } = await client.commitChange(ask)
  await client.promoteChange(ask)
  assert.equal((await branchesOf(bench.gitdir)).main, committed?.commit)
  return change
}

test('the storefront gets its memo and, on top of it, its time-out, each through every gate', {
  timeout,
}, async (t) => {
  const bench = await makeBench(t, { target: 'storefront', files: await textsOf(storefront) })
  const memo = await carryOut(t, bench, 'enable_caching')
  assert.match(memo.summary, /similarProducts/)
  assert.ok(memo.profileShare > 0.05, `${memo.profileShare} of the busy time`)
  const recommend = memo.benchmark.find((one) => one.meanAfterMs < one.meanBeforeMs / 2)
  assert.ok(recommend, 'an operation takes less than half of its time')
  assert.ok(memo.paths.includes('src/recommendations.ts'))
  assert.match((await fileAt(bench.gitdir, 'main', 'src/recommendations.ts')) ?? '', /memo/i)
  const memoCommit = (await branchesOf(bench.gitdir)).main
  const deadline = await carryOut(t, bench, 'add_timeout')
  assert.deepEqual(deadline.paths, ['src/stock.ts'])
  assert.match((await fileAt(bench.gitdir, 'main', 'src/stock.ts')) ?? '', /AbortSignal\.timeout\(\d+\)/)
  assert.equal(deadline.baseCommit, memoCommit)
  for (const { checks } of [memo, deadline]) assert.ok(checks.every((check) => check.passed))
})
