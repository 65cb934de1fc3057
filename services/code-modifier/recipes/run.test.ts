import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { recipes } from './catalogue.ts'
import { writeProfile } from './fixtures.testing.ts'
import type { RecipeChange, RecipeInput } from './outcome.ts'
import { runRecipe } from './run.ts'
import { AnalysisError, inThread } from './thread.ts'
import { newTypeErrors } from './types-gate.ts'

const repository = path.resolve(import.meta.dirname, '../../..')
const storefront = path.join(repository, 'examples/storefront')
const sources = ['src/**/*.ts']
const options = { signal: new AbortController().signal, timeoutMs: 120_000 }

/** A copy of the storefront, with the packages of this repository, and a profile in which its recommendations take half of the time. */
function openStorefront(t: TestContext): RecipeInput {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-storefront-'))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(storefront, folder, { recursive: true, filter: (name) => path.basename(name) !== 'node_modules' })
  symlinkSync(path.join(repository, 'node_modules'), path.join(folder, 'node_modules'))
  const read = (file: string) => [file, readFileSync(path.join(folder, file), 'utf8')] as const
  const profile = writeProfile(
    folder,
    new Map([read('src/recommendations.ts'), read('src/handlers.ts')]),
    'recommend 2, similarProducts 48, stem 10',
  )
  return { folder, sources, parameters: {}, profiles: [profile], benchmark: [] }
}

test("enable_caching keeps the storefront's recommendations, without a type error, once", async (t) => {
  const input = openStorefront(t)
  const change = (await runRecipe('enable_caching', input, options)) as RecipeChange
  assert.equal(change.kind, 'change', JSON.stringify(change))
  assert.deepEqual(change.files.map((file) => file.path).sort(), ['src/memoize.ts', 'src/recommendations.ts'])
  assert.deepEqual(
    [change.place.path, change.place.name, change.authorDetail],
    ['src/recommendations.ts', 'similarProducts', 'enable_caching@1'],
  )
  assert.equal(change.profileShare, 0.48)
  assert.deepEqual(await newTypeErrors({ folder: input.folder, sources, files: change.files }, options), [])

  for (const { path: file, content } of change.files) writeFileSync(path.join(input.folder, file), content)
  const again = await runRecipe('enable_caching', input, options)
  assert.match((again as { reason: string }).reason, /^already cached: similarProducts/)
})

test("add_timeout ends the storefront's question to its supplier", async (t) => {
  const benchmark = [
    { operation: 'CheckStock', p99Ms: 31.4 },
    { operation: 'Recommend', p99Ms: 90 },
  ]
  const input = { ...openStorefront(t), benchmark }
  const change = (await runRecipe('add_timeout', input, options)) as RecipeChange
  assert.equal(change.kind, 'change', JSON.stringify(change))
  assert.deepEqual([change.place.path, change.place.name], ['src/stock.ts', 'stockLevels'])
  assert.match(change.files[0]?.content ?? '', /await fetch\(url, \{ signal: AbortSignal\.timeout\(95\) \}\)/)
  assert.deepEqual(await newTypeErrors({ folder: input.folder, sources, files: change.files }, options), [])
})

test('an intervention without a recipe is said to be unbuilt', async () => {
  const input = { folder: '/nowhere', sources, parameters: {}, profiles: [], benchmark: [] }
  for (const intervention of ['add_retry', 'batch_calls', 'llm_edit', 'toString']) {
    const outcome = await runRecipe(intervention, input, options)
    assert.equal(outcome.kind, 'unbuilt')
    assert.match((outcome as { reason: string }).reason, new RegExp(intervention))
  }
})

test('an analysis ends when it is aborted, and when its time is over', async (t) => {
  const input = openStorefront(t)
  const aborted = new AbortController()
  const running = runRecipe('enable_caching', input, { ...options, signal: aborted.signal })
  aborted.abort(new Error('no longer wanted'))
  await assert.rejects(running, /no longer wanted/)
  await assert.rejects(runRecipe('enable_caching', input, { ...options, timeoutMs: 1 }), AnalysisError)
  await assert.rejects(
    runRecipe('enable_caching', input, { ...options, signal: aborted.signal }),
    /no longer wanted/,
  )
})

test('a failure of the analysis is an error, not a refusal', async () => {
  const input = { folder: '/nowhere', sources, parameters: { timeout_ms: 1 }, profiles: [], benchmark: [] }
  await assert.rejects(runRecipe('add_timeout', input, options), AnalysisError)
  await assert.rejects(
    inThread<'recipe'>({ kind: 'recipe', intervention: 'none', input }, options),
    /recipe for none/,
  )
})

test('every recipe of the catalogue runs, and says when it refuses', async (t) => {
  const input = { ...openStorefront(t), parameters: { unknown: 1 } }
  for (const { intervention, refusals, description, version } of recipes) {
    assert.equal((await runRecipe(intervention, input, options)).kind, 'refusal')
    assert.ok(refusals.length > 3 && description.length > 20 && /^\d+$/.test(version))
  }
})

test('what the serving process loads does not load the compiler', () => {
  const seen = new Set<string>()
  const queue = ['run.ts', 'types-gate.ts', 'catalogue.ts'].map((file) =>
    path.join(import.meta.dirname, file),
  )
  for (const file of queue) {
    const text = readFileSync(file, 'utf8')
    for (const [, kind = '', specifier = ''] of text.matchAll(/^import (type )?[^']*from '([^']+)'$/gm)) {
      assert.ok(
        kind !== '' || !['typescript', 'ts-morph'].includes(specifier),
        `${file} imports ${specifier}`,
      )
      const target = path.resolve(path.dirname(file), specifier)
      if (kind === '' && specifier.startsWith('.') && !seen.has(target)) queue.push(target)
      seen.add(target)
    }
  }
  assert.ok(queue.length >= 4)
})
