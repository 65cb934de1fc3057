import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkGlob, matchesAny } from './globs.ts'
import { ManifestError, readManifest, rolloutSection } from './manifest.ts'

const least = `
name: shop
services: [{name: shop}]
commands: {test: [node, --test], start: [node, main.ts]}
`

test('the least nexus.yaml gets the defaults', () => {
  const manifest = readManifest(least)
  assert.equal(manifest.branch, 'main')
  assert.deepEqual(manifest.services, [{ name: 'shop', portEnv: 'PORT', health: 'grpc' }])
  assert.deepEqual(manifest.sources, ['src/**/*.ts'])
  assert.equal(manifest.rollout.driver, 'local')
  assert.deepEqual(manifest.rollout.steps, [
    { weight: 20, minSeconds: 5 },
    { weight: 50, minSeconds: 10 },
  ])
  assert.ok(Object.isFrozen(manifest.commands))
})

test('every field is read', () => {
  const manifest = readManifest(`
name: shop
branch: release/1
services: [{name: shop, port_env: SHOP_PORT, health: tcp}]
commands: {install: [npm, ci], test: [a], benchmark: [b], lint: [c], start: [d]}
environment: {SUPPLIER_URL: "http://127.0.0.1:1"}
sources: ["lib/**/*.ts"]
protected: ["test/**"]
interventions: {enable_caching: {max_entries: 10}, add_timeout: }
slos: [{apiVersion: openslo/v1, kind: SLO}]
rollout: {driver: local, steps: [{weight: 10, min_seconds: 1}], max_seconds: 30, alpha: 0.05, error_tolerance: 0.02}
`)
  assert.deepEqual(manifest.interventions, { enable_caching: { max_entries: 10 }, add_timeout: {} })
  assert.deepEqual(rolloutSection(manifest.rollout), {
    driver: 'local',
    steps: [{ weight: 10, min_seconds: 1 }],
    max_seconds: 30,
    watch_seconds: 5,
    alpha: 0.05,
    error_tolerance: 0.02,
  })
})

const malformed: readonly [why: string, text: string, field: string, message: RegExp][] = [
  ['it is not YAML', 'name: [', '', /is not YAML/],
  ['it is a list', '- name', '', /must be a mapping/],
  ['it is empty', '', '', /must be a mapping/],
  ['a key stands twice', `${least}\nname: other`, '', /not YAML.*unique/i],
  ['the name is missing', least.replace('name: shop\n', ''), 'name', /name is missing: write/],
  [
    'the test command is missing',
    least.replace('test: [node, --test], ', ''),
    'commands.test',
    /\[node, --test\]/,
  ],
  ['a command is a string', least.replace('[node, --test]', 'npm test'), 'commands.test', /must be a list/],
  ['a key is unknown', `${least}\nbranches: main`, 'branches', /is not a field/],
  [
    'a nested key is unknown',
    least.replace('{name: shop}', '{name: shop, port: 1}'),
    'services[0].port',
    /services\[0\]\.port/,
  ],
  [
    'a service has no name',
    least.replace('[{name: shop}]', '[{port_env: PORT}]'),
    'services[0].name',
    /is missing/,
  ],
  ['there is no service', least.replace('[{name: shop}]', '[]'), 'services', /at least one/],
  ['a weight is above 100', `${least}\nrollout: {steps: [{weight: 120}]}`, 'rollout.steps[0].weight', /100/],
  ['the driver is not built', `${least}\nrollout: {driver: argo}`, 'rollout.driver', /local/],
  ['a glob climbs out', `${least}\nsources: ["../**"]`, 'sources[0]', /never climbs out/],
  ['the branch is NEXUS’s own', `${least}\nbranch: nexus/1`, 'branch', /own branches/],
  ['the branch is no branch', `${least}\nbranch: "a..b"`, 'branch', /name of a branch/],
  ['an environment value is a list', `${least}\nenvironment: {A: [1]}`, 'environment.A', /string/],
]
for (const [why, text, field, message] of malformed) {
  test(`a nexus.yaml is refused by its field when ${why}`, () => {
    assert.throws(
      () => readManifest(text),
      (error) => error instanceof ManifestError && error.field === field && message.test(error.message),
      text,
    )
  })
}

test('a bomb of aliases is refused', () => {
  const bomb = [
    'a: &a [x, x, x]',
    'b: &b [*a, *a, *a, *a]',
    'c: &c [*b, *b, *b, *b]',
    'd: [*c, *c, *c, *c]',
  ].join('\n')
  assert.throws(() => readManifest(bomb), ManifestError)
})

test('globs match as people mean them', () => {
  for (const [path, pattern, expected] of [
    ['src/a.ts', 'src/**/*.ts', true],
    ['src/deep/er/a.ts', 'src/**/*.ts', true],
    ['src/a.tsx', 'src/**/*.ts', false],
    ['lib/src/a.ts', 'src/**/*.ts', false],
    ['.github/workflows/x.yml', '**', true],
    ['test/a.ts', 'test/**', true],
    ['a.test.ts', '*.test.{ts,js}', true],
    ['a.testXts', '*.test.ts', false],
    ['a/b', '*', false],
    ['ab', 'a?', true],
    ['a(b).ts', 'a(b).ts', true],
  ] as const) {
    assert.equal(matchesAny(path, [pattern]), expected, `${path} ${pattern}`)
  }
  assert.throws(() => checkGlob('/etc/**'), RangeError)
})
