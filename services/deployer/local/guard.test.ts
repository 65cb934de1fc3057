import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { eventually } from '../../platform/eventually.testing.ts'
import { Guard } from './guard.ts'

let folder: string
let guard: Guard
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'nexus-guard-'))
  guard = new Guard()
})
afterEach(async () => {
  await guard.close()
  await rm(folder, { recursive: true, force: true })
})

function run(script: string) {
  return guard.start({
    argv: [process.execPath, '-e', script],
    folder,
    environment: { PATH: '/usr/bin:/bin' },
    outputFile: path.join(folder, 'output', 'x.log'),
  })
}

async function processesIn(place: string): Promise<number> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const folders = await Promise.all(ids.map((id) => readlink(`/proc/${id}/cwd`).catch(() => '')))
  return folders.filter((each) => each === place).length
}

async function guardianId(): Promise<number> {
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [command, status] = await Promise.all(
      ['cmdline', 'status'].map((file) => readFile(`/proc/${id}/${file}`, 'utf8').catch(() => '')),
    )
    const isOurs = new RegExp(`^PPid:\\s+${process.pid}$`, 'm').test(status!)
    if (isOurs && command!.includes('guardian.ts')) return Number(id)
  }
  throw new Error('there is no guardian')
}

const printed = (text: string) =>
  eventually(`the output ${text}`, async () => {
    const output = await readFile(path.join(folder, 'output', 'x.log'), 'utf8').catch(() => '')
    return output.includes(text)
  })

test('the end of a process is told with its code and the end of its output', async () => {
  const { ended } = run('console.log("one"); console.error("two"); process.exit(3)')
  assert.deepEqual(await ended, { code: 3, signal: null, outputTail: 'one\ntwo' })
})

test('a program that is not there ends at once, and the reason is told', async () => {
  const { ended } = guard.start({
    argv: ['no-such-program'],
    folder,
    environment: {},
    outputFile: path.join(folder, 'x.log'),
  })
  assert.match((await ended).outputTail, /no-such-program cannot be started: .*ENOENT/)
})

test('one that will not end on SIGTERM is killed, with all that it started', async (t) => {
  if (process.platform !== 'linux') return t.skip('processes are looked for in /proc')
  const child = 'require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"])'
  const { ended, stop } = run(
    `process.on("SIGTERM", () => {}); ${child}; setInterval(() => {}, 1000); console.log("up")`,
  )
  await printed('up')
  await eventually('both running', async () => (await processesIn(folder)) === 2)
  await stop(100)
  assert.equal((await ended).signal, 'SIGKILL')
  await eventually('both gone', async () => (await processesIn(folder)) === 0)
})

test('when the guardian is killed its versions are ended, and the next start has a new one', async (t) => {
  if (process.platform !== 'linux') return t.skip('processes are looked for in /proc')
  const { ended } = run('setInterval(() => {}, 1000); console.log("up")')
  await printed('up')
  process.kill(await guardianId(), 'SIGKILL')
  assert.equal((await ended).outputTail, 'its guardian ended')
  await eventually('the version being gone', async () => (await processesIn(folder)) === 0)
  assert.equal((await run('process.exit(4)').ended).code, 4)
})

test('closing ends all within two seconds', async () => {
  const { ended } = run('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")')
  await printed('up')
  const startMs = performance.now()
  await guard.close()
  await ended
  assert.ok(performance.now() - startMs < 2000)
})
