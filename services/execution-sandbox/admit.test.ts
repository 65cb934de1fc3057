import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { admit, InvalidExecutionError, isBelowAny } from './admit.ts'
import { type Execution, usualLimits } from './execution.ts'
import { execution } from './testing.sandbox.ts'

const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'nexus-admit-')))
after(() => rmSync(root, { recursive: true, force: true }))
mkdirSync(path.join(root, 'work', 'node_modules'), { recursive: true })
mkdirSync(path.join(root, 'packages'))
for (const folder of [root, path.join(root, 'work')]) chmodSync(folder, 0o755)
const work = { hostPath: path.join(root, 'work'), path: '/workspace' }

const bad: readonly [string, Partial<Execution>, RegExp][] = [
  ['an empty command', { command: [] }, /command is empty/],
  ['a command that the shell’s env would take for a variable', { command: ['A=b'] }, /must not contain "="/],
  ['a command that looks like an option', { command: ['--help'] }, /nor begin with "-"/],
  ['a variable that the sandbox sets', { environment: { PATH: '/evil' } }, /environment sets PATH/],
  ['a name that is no variable', { environment: { 'A B': '1' } }, /not the name of a variable/],
  ['a limit of nothing', { limits: { ...usualLimits, processes: 0 } }, /limits.processes is 0/],
  [
    'a limit above the greatest',
    { limits: { ...usualLimits, wallTimeMs: 600_001 } },
    /must be from 1 to 600000/,
  ],
  ['an output that climbs', { outputs: ['../etc/passwd'] }, /outputs has/],
  ['an output by absolute path', { outputs: ['/etc/passwd'] }, /outputs has/],
  ['everything as output', { outputs: ['/*'] }, /outputs has/],
  ['a working directory that climbs', { workingDirectory: '/workspace/../etc' }, /working_directory/],
  ['a mount over the system', { mounts: [{ ...work, path: '/usr/share' }] }, /sandbox has its own files/],
  [
    'a mount over the scratch folder',
    { mounts: [{ ...work, path: '/scratch' }] },
    /sandbox has its own files/,
  ],
  ['a mount over everything', { mounts: [{ ...work, path: '/' }] }, /absolute path/],
  [
    'the same place twice',
    { mounts: [work, { hostPath: path.join(root, 'packages'), path: '/workspace' }] },
    /twice/,
  ],
  [
    'a mount inside another where there is no folder',
    { mounts: [work, { hostPath: path.join(root, 'packages'), path: '/workspace/absent' }] },
    /create an empty one there/,
  ],
]

for (const [name, fields, message] of bad) {
  test(`${name} is not admitted`, async () => {
    await assert.rejects(admit(execution({ command: ['node'], ...fields }), [root]), (error) => {
      assert.ok(error instanceof InvalidExecutionError)
      assert.match(error.message, message)
      return true
    })
  })
}

test('mounts are resolved and come outer ones first; the first names the working directory', async () => {
  symlinkSync(path.join(root, 'packages'), path.join(root, 'link'))
  const inner = { hostPath: path.join(root, 'link'), path: '/workspace/node_modules' }
  const admitted = await admit(execution({ command: ['node'], mounts: [inner, work] }), [root])
  assert.deepEqual(admitted.mounts, [work, { hostPath: path.join(root, 'packages'), path: inner.path }])
  assert.equal(admitted.workingDirectory, '/workspace/node_modules')
})

test('a folder that exists and is not allowed reads like one that does not exist', async () => {
  const told = async (hostPath: string) => {
    const error = await admit(execution({ command: ['node'], mounts: [{ hostPath, path: '/w' }] }), [
      root,
    ]).catch((caught: Error) => caught)
    return (error as Error).message.replace(hostPath, '…')
  }
  assert.equal(await told('/etc'), await told('/no/such/folder'))
})

test('a folder is below itself and its parents, and not below one whose name begins alike', () => {
  assert.ok(isBelowAny('/a/b', ['/a']))
  assert.ok(isBelowAny('/a', ['/a']))
  assert.ok(!isBelowAny('/ab', ['/a']))
  assert.ok(isBelowAny('/ab', ['/']))
})
