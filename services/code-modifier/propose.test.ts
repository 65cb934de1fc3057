import assert from 'node:assert/strict'
import fs from 'node:fs'
import { symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { Code } from '@connectrpc/connect'
import git from 'isomorphic-git'
import { type Change, ChangeState } from '../gen/nexus/code_modifier/v1/change_pb.ts'
import { commitFiles } from '../platform/target/origin.testing.ts'
import { listOf } from '../platform/testing.ts'
import { failsWith, fileAt } from './changes.testing.ts'
import {
  better,
  changeTo,
  type Files,
  manifest,
  manyLines,
  measured,
  neverAsked,
  nothingLeft,
  once,
  price,
  propose,
  type Recipe,
  startWorld,
  timeout,
  useSandbox,
  wish,
} from './propose.testing.ts'
import type { RecipeInput } from './recipes/outcome.ts'
import { AnalysisError } from './recipes/thread.ts'

useSandbox()

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
