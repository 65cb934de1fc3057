import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { prepareCheckout } from './checkout.ts'
import { runGuarded } from './guarded-command.ts'
import { syncMirror } from './mirror.ts'
import { commitFiles, makeOrigin } from './origin.testing.ts'
import { TargetError } from './target-error.ts'

/** An install command that needs no registry: it writes a module, and a line into a file beside, so that runs can be counted. */
const install = `const fs = require('node:fs')
fs.mkdirSync('node_modules/dep', { recursive: true })
fs.writeFileSync('node_modules/dep/index.js', JSON.stringify(Object.keys(process.env).sort()))
fs.appendFileSync(process.env.HOME + '/installs', 'x')
`
const manifest = (script = 'install.cjs') => `name: shop
services: [{name: shop}]
commands: {install: [node, ${script}], test: [node, --test], start: [node, main.ts]}
`

async function withTarget(work: (place: Awaited<ReturnType<typeof target>>) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nexus-checkout-'))
  try {
    await work(await target(folder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function target(folder: string) {
  const originPath = path.join(folder, 'origin')
  await makeOrigin(originPath, {
    'nexus.yaml': manifest(),
    'install.cjs': install,
    'package.json': '{}',
    'main.ts': 'export const one = 1\n',
    'fails.cjs': 'console.error("no such package"); process.exit(3)',
  })
  const synced = () => syncMirror({ originPath, mirrorPath: path.join(folder, 'shop.git') })
  const environment = {
    HOME: folder,
    PATH: process.env.PATH,
    SECRET: 'not passed on',
    npm_config_registry: 'r',
  }
  const checkout = async (name: string) => {
    const { repository, head, manifest } = await synced()
    return prepareCheckout({
      repository,
      commit: head,
      manifest,
      folder: path.join(folder, 'worktrees', name),
      dependenciesStore: path.join(folder, 'dependencies'),
      signal: new AbortController().signal,
      environment,
    })
  }
  const installs = () => readFile(path.join(folder, 'installs'), 'utf8').then((text) => text.length)
  return { folder, originPath, checkout, installs }
}

test('checkouts share what one install made, until a lock file changes', () =>
  withTarget(async ({ originPath, checkout, installs, folder }) => {
    const [first] = await Promise.all([checkout('a'), checkout('b'), checkout('c')])
    assert.equal(await installs(), 1)
    assert.ok(existsSync(path.join(first.folder, 'node_modules', 'dep', 'index.js')))
    assert.ok(existsSync(path.join(first.folder, 'main.ts')))
    await commitFiles(originPath, { 'main.ts': '2\n' }, 'Code')
    await checkout('d')
    assert.equal(await installs(), 1)
    await commitFiles(originPath, { 'package.json': '{"name":"shop"}' }, 'Lock')
    await checkout('e')
    assert.equal(await installs(), 2)
    assert.deepEqual((await readdir(path.join(folder, 'worktrees'))).toSorted(), ['a', 'b', 'c', 'd', 'e'])
  }))

test('a checkout is made once and made anew when its dependencies are gone', () =>
  withTarget(async ({ folder, checkout, installs }) => {
    await checkout('a')
    assert.deepEqual(await checkout('a'), await checkout('a'))
    await rm(path.join(folder, 'dependencies'), { recursive: true })
    await checkout('a')
    assert.equal(await installs(), 2)
  }))

test('an install sees what a package manager needs of the environment and nothing else', () =>
  withTarget(async ({ checkout }) => {
    const { dependencies } = await checkout('a')
    const names = JSON.parse(await readFile(path.join(dependencies!, 'dep', 'index.js'), 'utf8'))
    assert.deepEqual(names, ['HOME', 'PATH', 'npm_config_registry'])
  }))

test('an install that fails says so with its output, and leaves nothing', () =>
  withTarget(async ({ folder, originPath, checkout }) => {
    await commitFiles(originPath, { 'nexus.yaml': manifest('fails.cjs') }, 'Fails')
    await assert.rejects(
      checkout('a'),
      (error) => error instanceof TargetError && /ended with 3: no such package/.test(error.message),
    )
    assert.deepEqual(await readdir(path.join(folder, 'dependencies')), [])
    assert.deepEqual(await readdir(path.join(folder, 'worktrees')), [])
  }))

test('a guarded command ends at its time limit, with all that it started', () =>
  withTarget(async ({ folder }) => {
    const script = `const {spawn} = require('node:child_process')
      const child = spawn('sleep', ['60']); console.log(child.pid); setInterval(() => {}, 1000)`
    const result = await runGuarded({
      argv: ['node', '-e', script],
      folder,
      environment: { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin` },
      timeoutMs: 1_500,
      signal: new AbortController().signal,
    })
    assert.equal(result.timedOut, true)
    await gone(Number(result.outputTail.trim()))
  }))

test('kill -9 of the process that runs a guarded command leaves nothing of it', () =>
  withTarget(async ({ folder }) => {
    const module = fileURLToPath(new URL('./guarded-command.ts', import.meta.url))
    const script = `import { runGuarded } from ${JSON.stringify(module)}
      await runGuarded({ argv: ['node', '-e', 'require("fs").writeFileSync("pid", String(process.pid)); setInterval(() => {}, 1000)'],
        folder: ${JSON.stringify(folder)}, environment: { PATH: process.env.PATH }, timeoutMs: 60000, signal: new AbortController().signal })`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin` },
    })
    const pidFile = path.join(folder, 'pid')
    await until(() => existsSync(pidFile))
    const pid = Number(await readFile(pidFile, 'utf8'))
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    await gone(pid)
  }))

async function gone(pid: number): Promise<void> {
  assert.ok(pid > 1)
  await until(() => {
    try {
      process.kill(pid, 0)
      return false
    } catch {
      return true
    }
  })
}

async function until(condition: () => boolean): Promise<void> {
  const endsAt = performance.now() + 10_000
  while (!condition()) {
    assert.ok(performance.now() < endsAt, 'it did not happen within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
