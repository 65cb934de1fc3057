import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { callsAsDeclared } from './calls.ts'
import { enginesTested } from './engines.ts'
import { declaredDependencies, everyFileUsed, importDirection, testsApart } from './imports.ts'
import { projectOf, type Rule } from './project.ts'
import { fileLength, functionLength, namedExports, noAny, noConsole, testsRun } from './shape.ts'
import {
  changelogPending,
  lockFilesComplete,
  lockFilesWithoutAddresses,
  noRegistryHosts,
  nothingUnfinished,
  settingsTold,
} from './texts.ts'

type Files = Readonly<Record<string, string>>

/** Where a rule is broken in a made-up repository, as `path:line`. */
function brokenAt(rule: Rule, files: Files): string[] {
  return rule(projectOf(new Map(Object.entries(files)))).map((each) => `${each.path}:${each.line}`)
}

function importOf(path: string): string {
  return `import { x } from '${path}'\n`
}

describe('imports', () => {
  const upward: Files = {
    'services/platform/a.ts': importOf('../governor/policy.ts'),
    'services/governor/a.ts': `\n${importOf('../deployer/service.ts')}`,
    'services/deployer/a.ts': importOf('../serve.ts'),
    'services/all.ts': importOf('./governor/policy.ts'),
    'services/edge.ts': `const start = () => import('./governor/main.ts')`,
    'services/orchestrator/a.ts': `type A = import('../../bench/rpc.ts').A`,
    'examples/storefront/src/a.ts': importOf('../../../services/platform/log.ts'),
  }
  for (const [path, text] of Object.entries(upward)) {
    test(`${path} may not say ${text.trim()}`, () => {
      assert.equal(brokenAt(importDirection, { [path]: text }).length, 1)
    })
  }

  test('go down freely', () => {
    const files = {
      'services/platform/a.ts': importOf('../gen/nexus/echo/v1/echo_pb.ts') + importOf('./b.ts'),
      'services/governor/a.ts': importOf('../platform/log.ts') + importOf('./policy/rules.ts'),
      'services/serve.ts': `const start = () => import('./governor/main.ts')`,
      'services/walkthrough/main.ts': importOf('../all.ts'),
      'services/governor/run.test.ts': `spawn(new URL('../main.ts', import.meta.url))`,
      'bench/rank.ts': importOf('../services/knowledge-retriever/rank.ts'),
    }
    assert.deepEqual(brokenAt(importDirection, files), [])
  })

  test('of what is for tests come from tests', () => {
    const text = importOf('./clock.testing.ts')
    assert.deepEqual(brokenAt(testsApart, { 'services/platform/a.ts': text }), ['services/platform/a.ts:1'])
    assert.deepEqual(brokenAt(testsApart, { 'services/platform/a.test.ts': text }), [])
  })

  test('reach every file, or it is named as a process', () => {
    const main = `${importOf('./a.ts')}spawn(path.join(here, 'guard.ts'))\nnew URL('./child.ts', import.meta.url)`
    const files = {
      'services/main.ts': main,
      'services/a.ts': '',
      'services/guard.ts': '',
      'services/child.ts': '',
      'services/idle.ts': '',
      'services/idle.test.ts': importOf('./idle.ts'),
    }
    assert.deepEqual(brokenAt(everyFileUsed, files), ['services/idle.ts:1'])
  })

  test('of packages are declared, for the program among the dependencies', () => {
    const files = {
      'package.json': '{"dependencies":{"pino":"1","idle":"1"},"devDependencies":{"@types/x":"1"}}',
      'services/a.ts': `${importOf('pino/file')}${importOf('node:fs')}${importOf('@types/x')}${importOf('lost')}`,
      'services/a.test.ts': importOf('@types/x/y'),
      'services/types.ts': `import type { X } from 'x'`,
    }
    assert.deepEqual(brokenAt(declaredDependencies, files), [
      'services/a.ts:3',
      'services/a.ts:4',
      'package.json:1',
    ])
  })
})

describe('calls', () => {
  const code = `const law = createClient(GovernorService, context.transport('governor'))`
  const files = (calls: Record<string, string[]>, extra: Files = {}): Files => ({
    'services/calls.json': JSON.stringify(calls),
    'services/meta-controller/main.ts': code,
    ...extra,
  })

  test('that are declared are the calls made', () => {
    assert.deepEqual(brokenAt(callsAsDeclared, files({ 'meta-controller': ['governor'] })), [])
  })

  test('that are not declared, or not made, are found', () => {
    const made = brokenAt(callsAsDeclared, files({}))
    assert.deepEqual(made, ['services/meta-controller/main.ts:1'])
    const idle = brokenAt(callsAsDeclared, files({ 'meta-controller': ['governor', 'deployer'] }))
    assert.deepEqual(idle, ['services/calls.json:1'])
  })

  test('do not go round', () => {
    const back = { 'services/governor/main.ts': `transport('meta-controller')` }
    const calls = { 'meta-controller': ['governor'], governor: ['meta-controller'] }
    assert.deepEqual(brokenAt(callsAsDeclared, files(calls, back)), ['services/calls.json:1'])
  })

  test('go to the service whose client is made, by a name in place', () => {
    const crossed = {
      'services/deployer/main.ts': `createClient(CodeModifierService, transport('governor'))`,
    }
    const calls = { 'meta-controller': ['governor'], deployer: ['governor'] }
    assert.deepEqual(brokenAt(callsAsDeclared, files(calls, crossed)), ['services/deployer/main.ts:1'])
    const hidden = { 'services/deployer/main.ts': 'createClient(GovernorService, transport(name))' }
    const hiddenCalls = { 'meta-controller': ['governor'] }
    assert.deepEqual(brokenAt(callsAsDeclared, files(hiddenCalls, hidden)), ['services/deployer/main.ts:1'])
  })

  test('of the gateway are the RPCs with a public path', () => {
    const rpc = { 'proto/nexus/code_modifier/v1/s.proto': '\noption (google.api.http) = {}' }
    const calls = { 'meta-controller': ['governor'] }
    assert.deepEqual(brokenAt(callsAsDeclared, files(calls, rpc)), ['proto/nexus/code_modifier/v1/s.proto:2'])
    assert.deepEqual(brokenAt(callsAsDeclared, files({ ...calls, gateway: ['code-modifier'] }, rpc)), [])
  })
})

describe('shape', () => {
  const lines = (count: number) => '\n'.repeat(count)

  test('a function has 70 lines at most', () => {
    const long = `function f() {${lines(70)}}`
    assert.deepEqual(brokenAt(functionLength, { 'services/a.ts': `\n${long}` }), ['services/a.ts:2'])
    assert.deepEqual(brokenAt(functionLength, { 'services/a.ts': `const f = () => {${lines(69)}}` }), [])
    const suite = `describe('a', () => {${lines(90)} test('b', () => {}) })`
    assert.deepEqual(brokenAt(functionLength, { 'services/a.test.ts': suite }), [])
  })

  test('a file has 400 lines at most, a test 600', () => {
    const text = 'a\n'.repeat(401)
    assert.deepEqual(brokenAt(fileLength, { 'services/a.ts': text, 'services/a.test.ts': text }), [
      'services/a.ts:401',
    ])
  })

  test('exports are named', () => {
    const files = {
      'a.ts': 'export default 1',
      'b.ts': 'export default function f() {}',
      'c.config.ts': 'export default 1',
    }
    assert.deepEqual(brokenAt(namedExports, files), ['a.ts:1', 'b.ts:1'])
    assert.deepEqual(brokenAt(namedExports, { 'a.ts': 'switch (x) { default: y() }' }), [])
  })

  test('types are not any, and words in comments do not matter', () => {
    const files = { 'a.ts': '// any console.log\nlet x: any', 'b.ts': 'f<Promise<any>>()\nconsole.log(1)' }
    assert.deepEqual(brokenAt(noAny, files), ['a.ts:2', 'b.ts:1'])
    assert.deepEqual(brokenAt(noConsole, files), ['b.ts:2'])
  })

  test('tests run, or give their reason', () => {
    const marked = [
      'test.on' + "ly('a')",
      'describe.sk' + "ip('a')",
      'test("a", { sk' + 'ip: true })',
      't.sk' + 'ip()',
    ]
    for (const text of marked)
      assert.deepEqual(brokenAt(testsRun, { 'a.test.ts': text }), ['a.test.ts:1'], text)
    const reasoned = `t.skip('no Redis here'); test('a', { skip: withoutRedis }, () => {})`
    assert.deepEqual(brokenAt(testsRun, { 'a.test.ts': reasoned }), [])
  })

  test('an engine has a test beside it; types alone need none', () => {
    const folder = 'services/deployer/judge'
    const files = {
      [`${folder}/a.ts`]: 'export const one = 1',
      [`${folder}/b.ts`]: 'export const two = 2',
      [`${folder}/types.ts`]: 'export interface Three {}',
      [`${folder}/a.test.ts`]: importOf('./a.ts'),
    }
    assert.deepEqual(brokenAt(enginesTested, files), [`${folder}/b.ts:1`])
  })

  test('a part of an engine is reached by a test of the whole', () => {
    const folder = 'services/code-modifier/recipes'
    const files = {
      [`${folder}/recipe.test.ts`]: importOf('./a/recipe.ts'),
      [`${folder}/a/recipe.ts`]: `${importOf('./part.ts')}export const one = 1`,
      [`${folder}/a/part.ts`]: 'export const two = 2',
      [`${folder}/a/idle.ts`]: 'export const three = 3',
    }
    assert.deepEqual(brokenAt(enginesTested, files), [`${folder}/a/idle.ts:1`])
  })
})

describe('texts', () => {
  test('say nothing of work left over', () => {
    const word = ['FIX', 'ME'].join('')
    assert.deepEqual(brokenAt(nothingUnfinished, { 'a.md': `x\n${word} later`, 'b.md': `${word}D` }), [
      'a.md:2',
    ])
  })

  test('name no registry', () => {
    const host = ['registry', 'npmjs', 'org'].join('.')
    assert.deepEqual(brokenAt(noRegistryHosts, { '.npmrc': `registry=${host}` }), ['.npmrc:1'])
    assert.deepEqual(brokenAt(lockFilesWithoutAddresses, { 'package-lock.json': `{\n"resolved": "x"` }), [
      'package-lock.json:2',
    ])
  })

  test('lock files have an entry for the package of each platform', () => {
    const lock = (keys: string[]) => ({
      'package-lock.json': JSON.stringify({
        packages: {
          'node_modules/a': { optionalDependencies: { 'a-linux': '1', 'a-darwin': '1' } },
          ...Object.fromEntries(keys.map((key) => [key, {}])),
        },
      }),
    })
    assert.deepEqual(brokenAt(lockFilesComplete, lock(['node_modules/a-linux'])), ['package-lock.json:1'])
    const both = ['node_modules/a-linux', 'node_modules/a/node_modules/a-darwin']
    assert.deepEqual(brokenAt(lockFilesComplete, lock(both)), [])
  })

  test('the CHANGELOG begins with what is pending', () => {
    assert.deepEqual(
      brokenAt(changelogPending, { 'CHANGELOG.md': '# Changelog\n\nWhat changes.\n\n## Pending\n' }),
      [],
    )
    assert.deepEqual(brokenAt(changelogPending, { 'CHANGELOG.md': '# Changelog\n\n## 0.1.0\n' }), [
      'CHANGELOG.md:1',
    ])
    const below = '# Changelog\n\n## 0.1.0\n\n## Pending\n'
    assert.deepEqual(brokenAt(changelogPending, { 'CHANGELOG.md': below }), ['CHANGELOG.md:1'])
  })

  test('SETTINGS.md tells the settings that are read, no more and no less', () => {
    const code = { 'services/a.ts': `\nconst table = { port: { variable: 'NEXUS_PORT' } }` }
    const told = { ...code, 'SETTINGS.md': '# A\n\n| `NEXUS_PORT` | 1 | x, not NEXUS_OTHER |\n' }
    assert.deepEqual(brokenAt(settingsTold, told), [])
    const wrong = { ...code, 'SETTINGS.md': '# A\n\n| `NEXUS_PROT` | 1 | x |\n' }
    assert.deepEqual(brokenAt(settingsTold, wrong), ['services/a.ts:2', 'SETTINGS.md:3'])
  })
})
