import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { writeTarget } from './fixtures.testing.ts'
import { newTypeErrors } from './types-gate.ts'
import { perform } from './worker.ts'

const sources = ['src/**/*.ts']

/** The errors that files bring to a target, found in this thread. */
function errorsOf(
  t: TestContext,
  target: Record<string, string>,
  files: Record<string, string>,
): readonly string[] {
  const folder = writeTarget(new Map(Object.entries(target)))
  t.after(() => rmSync(folder, { recursive: true }))
  const changed = Object.entries(files).map(([path, content]) => ({ path, content }))
  return perform({ kind: 'types', input: { folder, files: changed, sources } }) as readonly string[]
}

test('errors that the target has already do not count, wherever they move', (t) => {
  const old = 'export const a: number = "text"\n'
  assert.deepEqual(errorsOf(t, { 'src/a.ts': old }, { 'src/a.ts': `\n\n\n${old}` }), [])
})

test('an error that comes a second time counts', (t) => {
  const old = 'export const a: number = "text"\n'
  const errors = errorsOf(t, { 'src/a.ts': old }, { 'src/a.ts': `${old}export const b: number = "text"\n` })
  assert.equal(errors.length, 1)
  assert.match(errors[0] ?? '', /^src\/a\.ts:\d+: TS2322 /)
})

test('an error that a change causes in another file, a test even, is found', (t) => {
  const target = {
    'src/a.ts': 'export function a(): number {\n  return 1\n}\n',
    'test/a.test.ts': "import { a } from '../src/a.ts'\n\nexport const b: number = a()\n",
    'tsconfig.json':
      '{"compilerOptions": {"strict": true, "module": "nodenext", "allowImportingTsExtensions": true, "noEmit": true}, "include": ["src", "test"]}',
  }
  const errors = errorsOf(t, target, { 'src/a.ts': "export function a(): string {\n  return '1'\n}\n" })
  assert.deepEqual(
    errors.map((error) => error.split(':')[0]),
    ['test/a.test.ts'],
  )
})

test('a new file, an import that is missing, and a syntax error are seen', (t) => {
  const target = { 'src/a.ts': 'export const a = 1\n' }
  assert.deepEqual(errorsOf(t, target, { 'src/b.ts': "export { a } from './a.ts'\n" }), [])
  assert.match(errorsOf(t, target, { 'src/b.ts': "export { c } from './c.ts'\n" })[0] ?? '', /TS2307/)
  assert.match(errorsOf(t, target, { 'src/a.ts': 'export const a = (\n' })[0] ?? '', /TS1/)
})

test('without a tsconfig.json and without packages, what Node has is known and types are strict', async (t) => {
  const folder = writeTarget(new Map([['src/a.ts', 'export {}\n']]))
  t.after(() => rmSync(folder, { recursive: true }))
  const content =
    "import { readFileSync } from 'node:fs'\nexport const a = (b) => readFileSync(b, 'utf8') + process.pid\n"
  const options = { signal: new AbortController().signal, timeoutMs: 120_000 }
  const errors = await newTypeErrors({ folder, sources, files: [{ path: 'src/a.ts', content }] }, options)
  assert.deepEqual(
    errors.map((error) => /TS\d+/.exec(error)?.[0]),
    ['TS7006'],
  )
})

test("a tsconfig.json that cannot be read is the target's fault and named", (t) => {
  assert.throws(() => errorsOf(t, { 'src/a.ts': '', 'tsconfig.json': '{' }, {}), /tsconfig\.json/)
})
