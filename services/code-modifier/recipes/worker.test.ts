import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type Fixture, inputOf, readFixtures, writeTarget } from './fixtures.testing.ts'
import type { RecipeChange, RecipeOutcome } from './outcome.ts'
import { perform } from './worker.ts'

// Each case is a file in fixtures/<recipe>. NEXUS_WRITE_GOLDENS=1 writes what the recipes do now; read the difference before it is committed.

const memoizeText = readFileSync(path.join(import.meta.dirname, 'enable-caching/memoize.template.ts'), 'utf8')
const leastOfEach = 8

for (const recipe of ['enable_caching', 'add_timeout']) {
  const fixtures = readFixtures(recipe)
  const refusals = fixtures.filter(({ name }) => name.startsWith('refuse-'))
  const changes = fixtures.filter((fixture) => !refusals.includes(fixture))

  test(`${recipe} has at least ${leastOfEach} changes and ${leastOfEach} refusals to show`, () => {
    assert.ok(changes.length >= leastOfEach && refusals.length >= leastOfEach)
  })

  describe(`${recipe} changes`, () => {
    for (const fixture of changes) test(fixture.title, (t) => checkChange(t, recipe, fixture))
  })

  describe(`${recipe} refuses`, () => {
    for (const fixture of refusals) test(fixture.title, (t) => checkRefusal(t, recipe, fixture))
  })
}

async function checkChange(t: TestContext, recipe: string, fixture: Fixture): Promise<void> {
  const before = openTarget(t, fixture.before)
  const outcome = run(recipe, fixture, before)
  assert.equal(outcome.kind, 'change', JSON.stringify(outcome))
  const change = outcome as RecipeChange
  writeGolden(fixture, change)
  assert.deepEqual(new Map(changedTexts(change)), fixture.after)
  for (const file of change.files) checkBase(fixture, file.path, file.baseSha256)
  assert.deepEqual(typeErrors(before, change), [], 'the result has no type error that the target had not')

  const after = openTarget(
    t,
    new Map([...fixture.before, ...change.files.map((file) => [file.path, file.content] as const)]),
  )
  const again = run(recipe, fixture, after)
  assert.equal(again.kind, 'refusal')
  assert.match((again as { reason: string }).reason, /^already /)
  await checkBehaviour(t, fixture, before, after, change.place.path)
}

function checkRefusal(t: TestContext, recipe: string, fixture: Fixture): void {
  const outcome = run(recipe, fixture, openTarget(t, fixture.before))
  assert.equal(outcome.kind, 'refusal', JSON.stringify(outcome))
  writeGolden(fixture, outcome)
  assert.equal((outcome as { reason: string }).reason, fixture.refusal)
}

function run(intervention: string, fixture: Fixture, folder: string): RecipeOutcome {
  return perform({ kind: 'recipe', intervention, input: inputOf(fixture, folder) }) as RecipeOutcome
}

function typeErrors(folder: string, { files }: RecipeChange): readonly string[] {
  return perform({ kind: 'types', input: { folder, files, sources: ['src/**/*.ts'] } }) as readonly string[]
}

function openTarget(t: TestContext, files: ReadonlyMap<string, string>): string {
  const folder = writeTarget(files)
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

/** The changed files but for the memo, which must be the one that the recipe keeps. */
function changedTexts({ files }: RecipeChange): [string, string][] {
  const isMemo = (file: string) => path.basename(file) === 'memoize.ts'
  for (const { path: file, content } of files) if (isMemo(file)) assert.equal(content, memoizeText)
  return files.filter((file) => !isMemo(file.path)).map((file) => [file.path, file.content])
}

function checkBase({ before }: Fixture, file: string, baseSha256: string | null): void {
  const text = before.get(file)
  const digest = text === undefined ? null : createHash('sha256').update(text).digest('hex')
  assert.equal(baseSha256, digest, file)
}

/** Calls that the fixture lists give the same from both versions, also when they come again; calls that hang come to an end. */
async function checkBehaviour(
  t: TestContext,
  fixture: Fixture,
  before: string,
  after: string,
  file: string,
): Promise<void> {
  const calls = fixture.facts.calls?.split(' | ') ?? []
  const hanging = fixture.facts.hangs?.split(' | ') ?? []
  if (calls.length + hanging.length === 0) return
  const url = hanging.length > 0 || fixture.facts.calls?.includes('url') ? await openSupplier(t) : ''
  const load = (folder: string) => import(pathToFileURL(path.join(folder, file)).href) as Promise<object>
  const [old, changed] = [await load(before), await load(after)]
  for (const call of [...calls, ...calls]) {
    assert.deepEqual(await resultOf(call, changed, url), await resultOf(call, old, url), call)
  }
  for (const call of hanging) {
    const { error } = (await resultOf(call, changed, `${url}/hang`)) as { error?: Error }
    assert.equal(error?.name, 'TimeoutError', `${call} is ended by its time-out`)
  }
}

async function resultOf(call: string, module: object, url: string): Promise<unknown> {
  const evaluate = new Function('m', 'url', `return ${call}`) as (m: object, url: string) => unknown
  try {
    return { value: await evaluate(module, url) }
  } catch (error) {
    const { name, message, ...fields } = error as Error
    return { error: { name: (error as Error).name, message: (error as Error).message, ...fields } }
  }
}

/** Answers `{"path": …}` at once; under /hang it never does. */
async function openSupplier(t: TestContext): Promise<string> {
  const server: Server = createServer((request, response) => {
    if (request.url?.startsWith('/hang')) return
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ path: request.url, method: request.method }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function writeGolden(fixture: Fixture, outcome: RecipeOutcome): void {
  if (process.env.NEXUS_WRITE_GOLDENS !== '1') return
  const [start = ''] = readFileSync(fixture.file, 'utf8').split(/^## (?:After|Refused)\n/m)
  const end =
    outcome.kind === 'change'
      ? `## After\n\n${changedTexts(outcome)
          .map((file) => fenced(fixture, file))
          .join('\n')}`
      : `## Refused\n\n> ${outcome.reason.replaceAll('\n', ' ')}\n`
  writeFileSync(fixture.file, `${start.trimEnd()}\n\n${end}`)
}

function fenced({ before }: Fixture, [file, text]: [string, string]): string {
  const old = before.get(file) ?? ''
  const marks = (old.includes('\r\n') ? ' crlf' : '') + (old.startsWith('\uFEFF') ? ' bom' : '')
  return `\`\`\`ts ${file}${marks}\n${text.replace('\uFEFF', '').replaceAll('\r\n', '\n')}\`\`\`\n`
}
