import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { test } from 'node:test'
import { createClient } from '@connectrpc/connect'
import { EchoService } from '../gen/nexus/echo/v1/echo_service_pb.ts'
import { eventually } from './eventually.testing.ts'
import { createGrpcTransport } from './grpc/channel.ts'

const program = path.join(import.meta.dirname, 'process.testing.ts')

interface Running {
  child: ChildProcess
  exit: Promise<{ code: number | null; signal: string | null }>
  out: () => string[]
  log: () => string
  said: (line: string) => Promise<unknown>
}

function start(t: { after(fn: () => void): void }, kind: string): Running {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, kind])
  t.after(() => void child.kill('SIGKILL'))
  let out = ''
  let log = ''
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    log += data
  })
  const exit = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  const lines = () => out.split('\n').slice(0, -1)
  const said = (line: string) => eventually(line, () => lines().some((one) => one.startsWith(line)))
  return { child, exit, out: lines, log: () => log, said }
}

async function clientOf(running: Running, t: { after(fn: () => void): void }) {
  await running.said('port')
  const port = running
    .out()
    .find((line) => line.startsWith('port'))
    ?.split(' ')[1]
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}` })
  t.after(() => transport.close())
  return createClient(EchoService, transport)
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} finishes the call in flight, closes in reverse and ends with code 0`, async (t) => {
    const running = start(t, 'serve')
    const client = await clientOf(running, t)
    const call = client.echo({ text: '200' })
    await running.said('entered')
    const startedMs = performance.now()
    running.child.kill(signal)
    assert.equal((await call).text, 'finished')
    assert.deepEqual(await running.exit, { code: 0, signal: null })
    assert.ok(performance.now() - startedMs < 2000)
    assert.deepEqual(running.out().slice(1), [
      'entered',
      'draining',
      'closed server',
      'closed journal',
      'ended',
    ])
  })
}

test('a call that does not end is cut, and the process still ends within two seconds', async (t) => {
  const running = start(t, 'serve')
  const client = await clientOf(running, t)
  const call = assert.rejects(client.echo({ text: '1300' }))
  await running.said('entered')
  const startedMs = performance.now()
  running.child.kill('SIGTERM')
  await call
  assert.equal((await running.exit).code, 0)
  assert.ok(performance.now() - startedMs < 2000)
})

test('a second signal ends the process at once', async (t) => {
  const running = start(t, 'stuck')
  await running.said('port')
  running.child.kill('SIGINT')
  await running.said('draining')
  const startedMs = performance.now()
  running.child.kill('SIGINT')
  assert.deepEqual(await running.exit, { code: null, signal: 'SIGINT' })
  assert.ok(performance.now() - startedMs < 500)
})

test('what does not close in time is named and cut', async (t) => {
  const running = start(t, 'stuck')
  await running.said('port')
  running.child.kill('SIGTERM')
  assert.deepEqual(await running.exit, { code: null, signal: 'SIGTERM' })
  assert.match(running.log(), /"closing":"stuck".*process_close_overdue/)
})

test('a handle that somebody forgot does not keep the process alive, and is logged', async (t) => {
  const running = start(t, 'leak')
  await running.said('port')
  running.child.kill('SIGTERM')
  assert.equal((await running.exit).signal, 'SIGTERM')
  assert.match(running.log(), /"resources":\[.*"Timeout".*process_lingers/)
})

test('a rejection that nobody caught is logged, closes everything and ends with code 1', async (t) => {
  const running = start(t, 'reject')
  assert.equal((await running.exit).code, 1)
  assert.match(running.log(), /nobody caught me/)
  assert.ok(running.out().includes('closed journal'))
})

test('a start that fails closes what it had opened and fails', async (t) => {
  const running = start(t, 'fail')
  assert.equal((await running.exit).code, 1)
  assert.deepEqual(running.out(), ['draining', 'closed server', 'closed journal'])
  assert.match(running.log(), /the start failed/)
})

test('a start that fails says why also when what it had opened does not close', async (t) => {
  const running = start(t, 'stuck-fail')
  assert.deepEqual(await running.exit, { code: null, signal: 'SIGTERM' })
  assert.match(running.log(), /^nexus: the start failed$/m)
})
