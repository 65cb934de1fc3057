import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maxScannedFiles, maxScannedLength } from './finding.ts'
import { scanFiles } from './scan-files.ts'

/** Code that must be found, and code that looks like it and must not; each rule has both. */
const cases: Readonly<Record<string, { found: readonly string[]; silent: readonly string[] }>> = {
  'code/eval': {
    found: [
      `eval('1')`,
      `const run = eval`,
      `globalThis.eval(text)`,
      `new Function('a', 'return a')(1)`,
      `Function('return this')()`,
      `[].constructor.constructor('return 1')()`,
      `setTimeout('go()', 1)`,
      `setInterval(\`go(\${x})\`, 1)`,
    ],
    silent: [
      `const evaluate = 1`,
      `model.evaluation(1)`,
      `setTimeout(() => go(), 1)`,
      `const o = { eval: 1 }`,
      `// eval('1')`,
    ],
  },
  'code/foreign-code': {
    found: [
      `import vm from 'node:vm'`,
      `const w = require('worker_threads')`,
      `const m = await import('node:inspector')`,
    ],
    silent: [`import path from 'node:path'`, `import { vm } from './vm.ts'`],
  },
  'code/child-process': {
    found: [
      `import { exec } from 'node:child_process'`,
      `import * as cp from 'child_process'`,
      `const { spawn } = require('child_process')`,
      `process.getBuiltinModule('node:child_process')`,
      `export { exec } from 'node:child_process'`,
    ],
    silent: [`const found = /a/.exec(text)`, `database.exec('select 1')`, `import { fork } from './fork.ts'`],
  },
  'code/native-code': {
    found: [`process.binding('fs')`, `process.dlopen(module, 'x.node')`, `process.kill(1)`],
    silent: [`process.exitCode = 1`, `other.binding('x')`],
  },
  'code/dynamic-import': {
    found: [`await import(name)`, `await import(\`./\${name}.ts\`)`, `require(name)`, `require('./' + name)`],
    silent: [`await import('./a.ts')`, 'await import(`./a.ts`)', `require('./a.cjs')`],
  },
  'code/environment-read': {
    found: [
      `const port = process.env.PORT`,
      `const port = process.env['PORT']`,
      `const { PORT } = process.env`,
    ],
    silent: [`const port = settings.env.PORT`, `const env = { PORT: 1 }`],
  },
  'code/environment-taken': {
    found: [
      `const all = { ...process.env }`,
      `send(JSON.stringify(process.env))`,
      `const one = process.env[name]`,
      `const { [name]: one } = process.env`,
      `const { PORT, ...rest } = process.env`,
      `import { env } from 'node:process'`,
    ],
    silent: [`const port = process.env.PORT`, `const { PORT } = process.env`],
  },
  'code/tls-disabled': {
    found: [
      `connect({ rejectUnauthorized: false })`,
      `connect({ 'rejectUnauthorized': false })`,
      `connect({ checkServerIdentity: () => undefined })`,
      `connect({ minVersion: 'TLSv1' })`,
      `process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'`,
      `process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'`,
    ],
    silent: [`connect({ rejectUnauthorized: true })`, `connect({ minVersion: 'TLSv1.3' })`],
  },
  'code/prototype-pollution': {
    found: [
      `function merge(a, b) { for (const key in b) { if (typeof b[key] === 'object') merge(a[key], b[key]); else a[key] = b[key] } }`,
      `export function set(o: any, path: string, v: unknown) { let at = o; const keys = path.split('.'); for (const k of keys.slice(0, -1)) at = at[k] ??= {}; at[keys.at(-1)!] = v }`,
      `const put = (o, [k, ...r], v) => { if (r.length) { put(o[k], r, v) } else { o[k] = v } }`,
      `target.__proto__ = other`,
      `Object.setPrototypeOf(a, b)`,
    ],
    silent: [
      `function merge(a, b) { for (const key of Object.keys(b)) { if (key === '__proto__') continue; if (b[key]) merge(a[key], b[key]); else a[key] = b[key] } }`,
      `function count(words) { const n = {}; for (const w of words) n[w] = (n[w] ?? 0) + 1; return n }`,
      `function fill(a) { for (let i = 0; i < a.length; i++) a[i] = 0; return fill }`,
      `function swap(a, i) { const t = a[i + 1]; a[i + 1] = t; swap(a, i) }`,
    ],
  },
  'code/path-traversal': {
    found: [
      `createServer((req, res) => { createReadStream('public' + req.url).pipe(res) })`,
      `async function get(request) { const file = path.join(root, request.params.name); return readFile(file) }`,
      `const handler = async (ctx) => { const { name } = ctx.query; await fs.promises.readFile(root + name) }`,
    ],
    silent: [
      `async function get(request) { const file = path.resolve(root, request.name); if (!file.startsWith(root)) throw e; return readFile(file) }`,
      `async function get(request) { return readFile(path.join(root, path.basename(request.name))) }`,
      `async function load(name) { return readFile(path.join(root, name)) }`,
      `async function get(request) { log(request.name); return readFile('index.html') }`,
    ],
  },
  'code/slow-regexp': {
    found: [`const a = /^(a+)+$/`, `const b = /(x|x)*y/`, `const c = /^(\\w+\\s?)*$/`],
    silent: [`const a = /^[a-z]+$/`, `const b = /^(?:\\d{1,3}\\.){3}\\d{1,3}$/`],
  },
  'code/regexp-from-data': { found: [`new RegExp(text)`], silent: [`new RegExp('^a')`, `/a/.test(text)`] },
  'code/timing': { found: [`if (password === given) go()`], silent: [`if (count === given) go()`] },
  'code/new-buffer': { found: [`new Buffer(n)`], silent: [`Buffer.alloc(n)`] },
  'code/weak-random': { found: [`crypto.pseudoRandomBytes(8)`], silent: [`crypto.randomBytes(8)`] },
  'code/unreadable': {
    found: [`const = 1`, `function (`],
    silent: [`const a: number = 1`, `class A { #b = 1 }`],
  },
  'text/bidi': {
    found: [`// access \u202e level`, `const a = '\u2066x\u2069'`],
    silent: [`const a = 'עברית'`],
  },
  'text/invisible': {
    found: [`const a\u200b = 1`, `const a = 'x\u{e0041}'`],
    silent: [`const family = '👩\u200d👧'`, `\ufeffconst a = 1`],
  },
  'text/control': { found: [`const a = '\u0008'`], silent: [`const a = '\\u0008'`, `\tconst a = 1\r\n`] },
}

const scan = (after: string, before: string | null = null, path = 'src/a.ts') =>
  scanFiles([{ path, before, after }])

for (const [rule, { found, silent }] of Object.entries(cases)) {
  test(`${rule} is found where it is and not where it is not`, () => {
    for (const code of found) {
      const rules = scan(code).map((finding) => finding.rule)
      assert.ok(rules.includes(rule), `${code} gives ${rules.join(', ') || 'nothing'}`)
    }
    for (const code of silent) assert.ok(!scan(code).some((finding) => finding.rule === rule), code)
  })
}

test('a finding that the base has is not new, wherever it moved, and one more of it is', () => {
  const bad = `const a = eval('1')\n`
  assert.deepEqual(scan(`// moved\n\n${bad}`, bad), [])
  const [second] = scan(`${bad}// and again\n${bad}`, bad)
  assert.deepEqual([second?.rule, second?.line], ['code/eval', 3])
})

test('a call that goes over several lines is new when only its arguments are', () => {
  const call = (argument: string) => `import { exec } from 'node:child_process'\nexec(\n  ${argument},\n)\n`
  assert.deepEqual(scan(call(`'ls'`), call(`'ls'`)), [])
  assert.equal(scan(call('given'), call(`'ls'`))[0]?.rule, 'code/child-process')
})

test('comments of the judged code do not switch the judge off', () => {
  const code = `/* eslint-disable */\n// eslint-disable-next-line\neval('1') // eslint-disable-line\n/* eslint own/eval: off */\n`
  assert.ok(scan(code).some((finding) => finding.rule === 'code/eval'))
})

test('a comment that silences a linter is a note when it is new, and nothing when it is not', () => {
  const code = '// eslint-disable-next-line no-console\nconst a = 1\n'
  const found = scan(code).map(({ rule, severity, line }) => [rule, severity, line])
  assert.deepEqual(found, [['code/lint-comment', 'note', 1]])
  assert.deepEqual(scan(`${code}const b = 2\n`, code), [])
})

test('code that cannot be read blocks, also when the base could not be read either', () => {
  assert.equal(scan('const = 2', 'const = 1')[0]?.severity, 'blocking')
})

test('what looks like code in a file of another kind is left alone, hidden characters are not', () => {
  assert.deepEqual(scan(`eval('1')`, null, 'README.md'), [])
  assert.equal(scan('a\u202eb', null, 'config.yaml')[0]?.rule, 'text/bidi')
})

test('JavaScript, JSX and CommonJS are read as well', () => {
  for (const path of ['a.js', 'a.mjs', 'a.cjs', 'a.jsx', 'a.tsx', 'a.mts', 'a.cts', 'deep/../a.ts']) {
    assert.equal(scan(`eval('1')`, null, path)[0]?.rule, 'code/eval', path)
  }
  assert.deepEqual(scan(`export const a = <b>hello</b>`, null, 'a.tsx'), [])
})

test('what is too much to be scanned blocks', () => {
  const long = scan('a'.repeat(maxScannedLength + 1))
  assert.deepEqual(
    long.map(({ rule, severity }) => [rule, severity]),
    [['scan/too-large', 'blocking']],
  )
  const files = Array.from({ length: maxScannedFiles + 1 }, (_, n) => ({
    path: `${n}.ts`,
    before: null,
    after: '',
  }))
  assert.equal(scanFiles(files)[0]?.rule, 'scan/too-large')
})

test('the change that enable_caching makes has nothing to be found', () => {
  const code = `import { createMemo } from './nexus-memo.ts'
const similarMemo = createMemo<readonly string[]>(1000, 60000)
export function similar(sku: string, limit: number): readonly string[] {
  return similarMemo([sku, limit], () => uncachedSimilar(sku, limit))
}
function uncachedSimilar(sku: string, limit: number): readonly string[] { return [sku].slice(0, limit) }
`
  assert.deepEqual(scan(code), [])
  assert.deepEqual(scan('const response = await fetch(url, { signal: AbortSignal.timeout(93) })\n'), [])
})
