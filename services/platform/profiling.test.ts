import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Code } from '@connectrpc/connect'
import { systemClock } from './clock.ts'
import { openPyroscope, takeProfile } from './profiling.ts'
import { silentLog } from './testing.ts'

test('a profile that is given up ends at once, and the next one can be taken', async () => {
  const controller = new AbortController()
  const taking = takeProfile('cpu', { seconds: 60, clock: systemClock, signal: controller.signal })
  await assert.rejects(takeProfile('cpu', { seconds: 1, clock: systemClock }), {
    code: Code.ResourceExhausted,
  })
  controller.abort(new Error('gone'))
  await assert.rejects(taking, /gone/)
  const clock = { ...systemClock, sleep: async () => {} }
  assert.match(await takeProfile('cpu', { seconds: 1, clock }), /"nodes"/)
})

test('without a URL there is no Pyroscope', async () => {
  const pyroscope = await openPyroscope({ url: undefined, serviceName: 'test', log: silentLog })
  await pyroscope.close()
})

test('Pyroscope is sent what was profiled, at the latest when it closes', async (t) => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    request.resume().on('end', () => response.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pyroscope = await openPyroscope({ url, serviceName: 'nexus-test', log: silentLog })
  for (const endMs = performance.now() + 300; performance.now() < endMs; ) await new Promise(setImmediate)
  await pyroscope.close()
  assert.ok(
    asked.some((path) => path.startsWith('/ingest') && path.includes('nexus-test')),
    asked.join('\n'),
  )
})
