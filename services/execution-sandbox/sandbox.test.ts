import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../platform/clock.ts'
import { InvalidExecutionError } from './admit.ts'
import { type Execution, type TierCapability, tiers } from './execution.ts'
import type { Sandbox } from './sandbox.ts'
import { QueueFullError } from './slots.ts'
import { processesWith } from './testing.machine.ts'
import { execution, openTestSandbox } from './testing.sandbox.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'nexus-sandbox-test-'))
const workspace = path.join(folder, 'workspace')
const packages = path.join(folder, 'packages')
mkdirSync(path.join(workspace, 'node_modules'), { recursive: true })
mkdirSync(path.join(packages, 'greeting'), { recursive: true })
writeFileSync(
  path.join(workspace, 'main.mjs'),
  `import { greeting } from 'greeting'\nconsole.log(greeting)\n`,
)
writeFileSync(
  path.join(packages, 'greeting', 'package.json'),
  '{"name":"greeting","type":"module","exports":"./index.js"}',
)
writeFileSync(path.join(packages, 'greeting', 'index.js'), `export const greeting = 'hello from a package'\n`)
for (const each of [folder, workspace, packages]) chmodSync(each, 0o755)
after(() => rmSync(folder, { recursive: true, force: true }))

for (const tier of tiers) {
  describe(`the tier ${tier}`, { concurrency: false }, () => {
    let sandbox: Sandbox
    let capability: TierCapability | undefined
    before(async () => {
      sandbox = await openTestSandbox({
        folder: path.join(folder, tier),
        mountRoots: [folder],
        tiers: [tier],
      })
      capability = (await sandbox.capabilities()).find((each) => each.tier === tier)
    })
    after(() => sandbox.close())

    const only = (name: string, body: () => Promise<void>) =>
      test(name, async (t) => {
        if (!capability?.available) return t.skip(`the tier ${tier} is absent here: ${capability?.remark}`)
        await body()
      })

    async function run(fields: Partial<Execution> & { program: string }, signal?: AbortSignal) {
      const told = { stdout: '', stderr: '' }
      const { program, ...rest } = fields
      const verdict = await sandbox.run(execution({ command: ['node', '-e', program], ...rest }), {
        signal,
        onOutput: (stream, bytes) => {
          told[stream] += Buffer.from(bytes).toString()
        },
      })
      return { ...told, verdict }
    }

    only('passes on input, output, exit code and only the given environment', async () => {
      const { verdict, stdout, stderr } = await run({
        program: `process.stdin.on('data', (text) => console.log(String(text).toUpperCase()))
          .on('end', () => { console.error(Object.keys(process.env).sort().join()); process.exit(7) })`,
        stdin: Buffer.from('from outside'),
        environment: { COLOUR: 'red' },
      })
      assert.equal(verdict.outcome, 'exited')
      assert.equal(verdict.exitCode, 7)
      assert.equal(stdout, 'FROM OUTSIDE\n')
      const names = stderr
        .trim()
        .split(',')
        .filter((name) => name !== 'HOSTNAME')
      assert.deepEqual(names, ['COLOUR', 'HOME', 'LANG', 'NEXUS_RUN', 'NEXUS_SCRATCH', 'PATH', 'TMPDIR'])
    })

    only('runs a target whose packages are mounted into it, on the Node that NEXUS runs on', async () => {
      const { verdict, stdout } = await run({
        program: '',
        command: ['node', 'main.mjs'],
        mounts: [
          { hostPath: packages, path: '/workspace/node_modules' },
          { hostPath: workspace, path: '/workspace' },
        ],
        workingDirectory: '/workspace',
      })
      assert.deepEqual([verdict.outcome, verdict.exitCode, stdout], ['exited', 0, 'hello from a package\n'])
      const version = await run({ program: 'console.log(process.version)' })
      assert.equal(version.stdout.trim(), process.version)
    })

    only('brings back the files that were asked for and no others', async () => {
      const { verdict } = await run({
        program: `const fs = require('node:fs'), at = process.env.NEXUS_SCRATCH
          fs.writeFileSync(at + '/report.json', '{}'); fs.writeFileSync(at + '/other', 'x')
          fs.mkdirSync(at + '/profiles/deep', { recursive: true })
          for (const name of ['a', 'b', 'deep/c']) fs.writeFileSync(at + '/profiles/' + name, name)`,
        outputs: ['report.json', 'profiles/*', 'absent'],
      })
      const files = verdict.files.map((file) => [file.path, Buffer.from(file.content).toString()])
      assert.deepEqual(files, [
        ['profiles/a', 'a'],
        ['profiles/b', 'b'],
        ['report.json', '{}'],
      ])
    })

    only('lets programs talk to themselves on 127.0.0.1 where it says so', async () => {
      const { verdict } = await run({
        program: `const net = require('node:net'); const server = net.createServer((socket) => socket.end())
          server.on('error', () => process.exit(1)).listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1')
          .on('connect', () => process.exit(0)).on('error', () => process.exit(1)))`,
      })
      assert.equal(verdict.exitCode === 0, capability?.loopback)
    })

    only('tells a signal from an exit code, and a missing program from both', async () => {
      const { verdict } = await run({
        program: `process.kill(process.pid, 'SIGSEGV'); setTimeout(() => {}, 1e6)`,
      })
      assert.deepEqual([verdict.outcome, verdict.signal], ['signaled', 'SIGSEGV'])
      const missing = await sandbox.run(execution({ command: ['no-such-program'] }))
      if (missing.outcome === 'refused') assert.match(missing.refusal, /only node/)
      else assert.deepEqual([missing.outcome, missing.exitCode], ['exited', 127])
    })

    only('ends a program when its caller cancels', async () => {
      const caller = new AbortController()
      const nonce = randomBytes(8).toString('hex')
      const verdict = await sandbox.run(
        execution({
          command: ['node', '-e', `console.log('running'); for (;;);`],
          environment: { NONCE: nonce },
        }),
        { signal: caller.signal, onOutput: () => caller.abort() },
      )
      assert.equal(verdict.outcome, 'canceled')
      assert.deepEqual(processesWith(nonce), [])
    })

    only('leaves nothing when NEXUS is killed', async () => {
      const nonce = randomBytes(8).toString('hex')
      const home = path.join(folder, `killed-${tier}`)
      const holder = spawn(
        process.execPath,
        [path.join(import.meta.dirname, 'testing.holder.ts'), tier, home, nonce],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      )
      const [said] = await once(holder.stdout!, 'data')
      assert.match(String(said), /running/)
      assert.ok(processesWith(nonce).length > 1)
      holder.kill('SIGKILL')
      const left = () => [...processesWith(nonce), ...runFolders(home)]
      await until(() => left().length === 0)
      // What the killed process could not remove itself, the next one does.
      const next = await openTestSandbox({ folder: home, tiers: [] })
      assert.equal(readdirSync(home).length, 1)
      await next.close()
      assert.deepEqual(readdirSync(home), [])
    })
  })
}

describe('the sandbox', () => {
  test('refuses a program for which no tier is strong enough, and says why', async () => {
    const sandbox = await openTestSandbox({ folder: path.join(folder, 'weak'), tiers: ['host'] })
    const untrusted = await sandbox.run(execution({ command: ['node', '-v'], trust: 'untrusted' }))
    assert.equal(untrusted.outcome, 'refused')
    assert.match(untrusted.refusal, /host: serves only the target’s own code/)
    const strong = await sandbox.run(execution({ command: ['node', '-v'], leastTier: 'bubblewrap' }))
    assert.equal(strong.outcome, 'refused')
    assert.match(strong.refusal, /bubblewrap: left out by NEXUS_SANDBOX_TIERS/)
    await sandbox.close()
  })

  test('does not use the host tier unless it is allowed', async () => {
    const sandbox = await openTestSandbox({
      folder: path.join(folder, 'forbidden'),
      tiers: ['host'],
      allowHost: false,
    })
    const verdict = await sandbox.run(execution({ command: ['node', '-v'] }))
    assert.equal(verdict.outcome, 'refused')
    assert.match(verdict.refusal, /NEXUS_SANDBOX_ALLOW_HOST/)
    await sandbox.close()
  })

  test('runs so many at a time, lets so many wait, and turns the rest away', async () => {
    const sandbox = await openTestSandbox({
      folder: path.join(folder, 'busy'),
      tiers: ['host'],
      maxConcurrent: 1,
      maxQueued: 1,
    })
    await sandbox.capabilities()
    const caller = new AbortController()
    const endless = execution({ command: ['node', '-e', 'console.log(1); setInterval(() => {}, 1e6)'] })
    let running = () => {}
    const isRunning = new Promise<void>((resolve) => {
      running = resolve
    })
    const first = sandbox.run(endless, { signal: caller.signal, onOutput: () => running() })
    await isRunning
    // Which of the two is in line first is theirs to settle: one waits, the other is turned away.
    const two = [0, 1].map(() => sandbox.run(execution({ command: ['node', '-e', '0'] })))
    const turnedAway = await Promise.race(
      two.map((one) =>
        one.then(
          () => undefined,
          (error: unknown) => error,
        ),
      ),
    )
    assert.ok(turnedAway instanceof QueueFullError)
    caller.abort()
    assert.equal((await first).outcome, 'canceled')
    const ended = await Promise.allSettled(two)
    assert.deepEqual(
      ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value.outcome] : [])),
      ['exited'],
    )
    await sandbox.close()
  })

  test('ends what runs when it closes', async () => {
    const sandbox = await openTestSandbox({ folder: path.join(folder, 'closing'), tiers: ['host'] })
    let running = () => {}
    const isRunning = new Promise<void>((resolve) => {
      running = resolve
    })
    const run = sandbox.run(execution({ command: ['node', '-e', 'console.log(1); for (;;);'] }), {
      onOutput: () => running(),
    })
    await isRunning
    await sandbox.close()
    assert.equal((await run).outcome, 'canceled')
    assert.deepEqual(readdirSync(path.join(folder, 'closing')), [])
  })

  test('takes no mount from outside the allowed folders, not even through a link', async () => {
    const sandbox = await openTestSandbox({
      folder: path.join(folder, 'mounts'),
      mountRoots: [workspace],
      tiers: ['host'],
    })
    const link = path.join(workspace, 'link')
    symlinkSync('/etc', link)
    for (const hostPath of ['/etc', link, path.join(workspace, '..', 'packages'), '/no/such/folder']) {
      const outside = execution({ command: ['node', '-v'], mounts: [{ hostPath, path: '/workspace' }] })
      await assert.rejects(sandbox.run(outside), InvalidExecutionError)
    }
    rmSync(link)
    await sandbox.close()
  })
})

test('the sandbox works for a user without any rights', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('this test runs as such a user already')
  const home = path.join(folder, 'nobody')
  mkdirSync(home)
  const script = `
    const { execution, openTestSandbox } = await import(${JSON.stringify(path.join(import.meta.dirname, 'testing.sandbox.ts'))})
    const sandbox = await openTestSandbox({ folder: process.argv[1] + '/state' })
    for (const { tier, available, remark } of await sandbox.capabilities()) {
      if (!available) { console.log(tier, 'absent', remark); continue }
      if (tier === 'docker') continue
      const one = await openTestSandbox({ folder: process.argv[1] + '/' + tier, tiers: [tier] })
      const verdict = await one.run(execution({ command: ['node', '-e', 'process.exit(9)'] }))
      console.log(tier, verdict.outcome, verdict.exitCode, verdict.refusal)
      await one.close()
    }
    await sandbox.close()`
  chownSync(home, 65_534, 65_534)
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, home], {
    uid: 65_534,
    gid: 65_534,
    cwd: '/',
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (bytes) => {
    said += bytes
  })
  await once(child, 'close')
  t.diagnostic(said.replaceAll('\n', '; '))
  if (!said.includes('host')) return t.skip('that user cannot read this project’s files')
  assert.match(said, /^host exited 9 $/m)
  for (const line of said.trim().split('\n')) assert.match(line, /exited 9|absent/)
})

function runFolders(home: string): string[] {
  return readdirSync(home, { recursive: true })
    .map(String)
    .filter((name) => /nexus-run-[^/]*$/.test(name))
}

/** Polls a condition, for at most ten seconds. */
async function until(condition: () => boolean): Promise<void> {
  for (let round = 0; round < 200 && !condition(); round += 1) await systemClock.sleep(50)
  assert.ok(condition(), 'the condition did not come true within ten seconds')
}
