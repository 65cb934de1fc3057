import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRegistry } from './metrics.ts'
import { createMetricsServer } from './metrics-server.ts'
import { silentLog } from './testing.ts'

async function serve(
  t: { after(fn: () => Promise<void>): void },
  options: { ready?: () => boolean; pprof?: boolean },
) {
  const server = createMetricsServer({
    registry: createRegistry(),
    log: silentLog,
    ready: () => true,
    ...options,
  })
  t.after(server.close)
  const port = await server.listen({ host: '127.0.0.1', port: 0 })
  return (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
}

test('/metrics gives the metrics of the process in Prometheus text', async (t) => {
  const get = await serve(t, {})
  const response = await get('/metrics')
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  const body = await response.text()
  assert.match(body, /^process_resident_memory_bytes \d+/m)
  assert.match(body, /^nodejs_eventloop_lag_seconds /m)
})

test('/healthz says that the process lives, /readyz whether it takes calls', async (t) => {
  let ready = false
  const get = await serve(t, { ready: () => ready })
  assert.equal((await get('/healthz')).status, 200)
  assert.equal((await get('/readyz')).status, 503)
  ready = true
  assert.equal((await get('/readyz')).status, 200)
})

test('other paths are 404 and other methods 405', async (t) => {
  const get = await serve(t, {})
  assert.equal((await get('/')).status, 404)
  assert.equal((await get('/metrics', { method: 'POST' })).status, 405)
})

test('profiles are off unless asked for, and then say how to have them', async (t) => {
  const get = await serve(t, {})
  const response = await get('/debug/pprof/profile?seconds=1')
  assert.equal(response.status, 404)
  assert.match(await response.text(), /NEXUS_PPROF=true/)
})

test('a profile shows where the time went, one at a time', async (t) => {
  const get = await serve(t, { pprof: true })
  const taking = get('/debug/pprof/profile?seconds=1')
  const busy = setInterval(burn, 1)
  const second = await get('/debug/pprof/heap?seconds=1')
  assert.equal(second.status, 429)
  const profile = (await (await taking).json()) as { nodes: { callFrame: { functionName: string } }[] }
  clearInterval(busy)
  assert.ok(profile.nodes.some((node) => node.callFrame.functionName === 'burn'))
})

test('a heap profile can be had, and its length is bounded', async (t) => {
  const get = await serve(t, { pprof: true })
  assert.equal((await get('/debug/pprof/heap?seconds=3600')).status, 400)
  assert.equal((await get('/debug/pprof/heap?seconds=x')).status, 400)
  const profile = (await (await get('/debug/pprof/heap?seconds=1')).json()) as { head: object }
  assert.ok(profile.head)
})

function burn(): void {
  const endMs = performance.now() + 5
  while (performance.now() < endMs);
}
