import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protectedAmong } from './protected-paths.ts'

const forbidden = [
  '.git/hooks/pre-commit',
  'vendor/.git/config',
  '.github/workflows/ci.yml',
  '.ci/run',
  '.gitlab-ci.yml',
  'Jenkinsfile',
  'Dockerfile',
  'package.json',
  'examples/storefront/package.json',
  'package-lock.json',
  'nexus.yaml',
  'test/prices.test.ts',
  'packages/a/tests/helper.ts',
  'src/prices.test.ts',
  'SRC/PRICES.TEST.TS',
  'src/prices.spec.js',
  '.env',
  'config/.env.production',
  '.npmrc',
  'keys/warrant.key',
  'services/governor/policy/default.cedar',
  'services/governor/judge.ts',
  'services/platform/warrant/verify.ts',
  'services/execution-sandbox/tiers.ts',
  '../other/src/a.ts',
  '/etc/passwd',
  'src/./a.ts',
  'src//a.ts',
  'src\\a.ts',
  'src/a.ts\u0000',
  'src/a\u202e.ts',
  'C:/src/a.ts',
  'src/a.ts ',
  'src/.git./config',
  '',
]

for (const path of forbidden) {
  test(`${JSON.stringify(path)} is protected`, () => {
    assert.deepEqual(protectedAmong([path]), [path])
  })
}

test('ordinary sources are not', () => {
  const paths = [
    'src/recommendations.ts',
    'src/latest/testimony.ts',
    'README.md',
    'src/café.ts',
    'lib/keys.ts',
    '.prettierrc',
  ]
  assert.deepEqual(protectedAmong(paths), [])
})
