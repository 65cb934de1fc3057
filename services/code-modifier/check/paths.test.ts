import assert from 'node:assert/strict'
import { test } from 'node:test'
import { whyProtected } from './paths.ts'

const rules = { sources: ['src/**/*.ts'], protectedGlobs: ['src/secret/**'] }

test('a source that nothing protects may be changed', () => {
  assert.equal(whyProtected('src/a/b.ts', rules), undefined)
})

for (const [path, reason] of [
  ['test/a.ts', /none of the sources/],
  ['src/a.js', /none of the sources/],
  ['src/secret/a.ts', /nexus\.yaml protects/],
  ['src/SECRET/a.ts', /nexus\.yaml protects/],
  ['nexus.yaml', /no such file in any target/],
  ['NEXUS.YAML', /no such file in any target/],
  ['src/package.json', /no such file in any target/],
  ['src/.env.ts', /no such file in any target/],
  ['src/.git/hooks/a.ts', /no such file in any target/],
  ['src/node_modules/a/b.ts', /no such file in any target/],
  ['.github/workflows/a.ts', /no such file in any target/],
  ['src/../nexus.ts', /not a plain path/],
  ['/src/a.ts', /not a plain path/],
  ['src//a.ts', /not a plain path/],
  ['src/a\u0000.ts', /control characters/],
  ['src\\a.ts', /backslashes/],
] as const) {
  test(`${JSON.stringify(path)} may not be changed`, () => {
    assert.match(whyProtected(path, { ...rules, sources: [...rules.sources] }) ?? '', reason)
  })
}

test('a protected name that is composed otherwise is the same name', () => {
  const composed = 'src/caf\u00e9.ts'
  const decomposed = 'src/cafe\u0301.ts'
  assert.match(
    whyProtected(decomposed, { sources: ['src/**/*.ts'], protectedGlobs: [composed] }) ?? '',
    /protects/,
  )
})
