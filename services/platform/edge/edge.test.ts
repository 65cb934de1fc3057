import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import { type Clock, systemClock } from '../clock.ts'
import { eventually } from '../eventually.testing.ts'
import { startTestEdge, type TestEdge, type Upstream } from './edge.testing.ts'

const answerEmpty: Upstream = (method) => create(method.output)
const withKey = { headers: { apikey: 'sesame' } }
const path = '/meta-controller/api/v1/objectives/o1'
const queryPath = '/orchestrator/query'

let edge: TestEdge

afterEach(() => edge.close())

/** Writes raw bytes and gives all that comes back until the other side closes. */
async function raw(port: number, write: (socket: Socket) => void): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.setEncoding('latin1').on('data', (text) => {
    received += text
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  write(socket)
  if (!socket.closed) await once(socket, 'close')
  return received
}

/** A clock that tests move. */
function ownedClock(startMs: number): Clock & { nowAtMs: number } {
  const clock = { ...systemClock, nowAtMs: startMs, nowMs: () => clock.nowAtMs }
  return clock
}

test('a body that announces too much is refused before any of it is read', async () => {
  edge = await startTestEdge(answerEmpty)
  const head = `POST ${queryPath} HTTP/1.1\r\nhost: x\r\napikey: sesame\r\ncontent-length: 999999999\r\n\r\n`
  const answer = await raw(edge.port, (socket) => socket.write(head))
  assert.match(answer, /^HTTP\/1\.1 413 /)
  assert.match(answer, /\{"message":"Request size limit exceeded"\}$/)
})

test('a body that comes in pieces is refused at the first byte too much', async () => {
  edge = await startTestEdge(answerEmpty, { limits: { maxBodyBytes: 1000 } })
  const chunk = `3e8\r\n${'x'.repeat(1000)}\r\n`
  const head = `POST ${queryPath} HTTP/1.1\r\nhost: x\r\napikey: sesame\r\ntransfer-encoding: chunked\r\n\r\n`
  const answer = await raw(edge.port, (socket) => socket.write(head + chunk + chunk))
  assert.match(answer, /^HTTP\/1\.1 413 /)
})

test('a client that is sending too much gets to read why', async () => {
  edge = await startTestEdge(answerEmpty, { limits: { maxBodyBytes: 1000 } })
  const answer = await edge.ask(queryPath, { ...withKey, method: 'POST', body: 'x'.repeat(300_000) })
  assert.equal(answer.status, 413)
})

test('a body of exactly the limit is taken', async () => {
  edge = await startTestEdge(answerEmpty, { limits: { maxBodyBytes: 1000 } })
  const body = JSON.stringify({ question: 'q', padding: '' })
  const full = body.replace('""', `"${'x'.repeat(1000 - body.length)}"`)
  assert.equal(full.length, 1000)
  assert.equal((await edge.ask(queryPath, { ...withKey, method: 'POST', body: full })).status, 200)
})

test('a body that is not UTF-8 is a bad request', async () => {
  edge = await startTestEdge(answerEmpty)
  const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])
  const answer = await edge.ask(queryPath, { ...withKey, method: 'POST', body })
  assert.deepEqual([answer.status, await answer.json()], [400, { message: 'the body is not UTF-8' }])
})

test('JSON that is nested a hundred thousand times does no harm', async () => {
  edge = await startTestEdge(answerEmpty)
  const body = `{"question":"q","deep":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  assert.equal((await edge.ask(queryPath, { ...withKey, method: 'POST', body })).status, 200)
  assert.equal((await edge.ask(queryPath, { ...withKey, method: 'POST', body: '[' })).status, 400)
})

test('headers that come drop by drop are cut off in time', async () => {
  edge = await startTestEdge(answerEmpty, { limits: { headersTimeoutMs: 200 } })
  const answer = await raw(edge.port, (socket) => {
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n`)
    const drops = setInterval(() => socket.write('x-drop: 1\r\n'), 50)
    socket.once('close', () => clearInterval(drops))
  })
  assert.match(answer, /^HTTP\/1\.1 408 /)
})

test('a body that comes drop by drop is cut off in time', async () => {
  edge = await startTestEdge(answerEmpty, { limits: { headersTimeoutMs: 200, requestTimeoutMs: 400 } })
  const answer = await raw(edge.port, (socket) => {
    socket.write(`POST ${queryPath} HTTP/1.1\r\nhost: x\r\napikey: sesame\r\ncontent-length: 1000\r\n\r\n`)
    const drops = setInterval(() => socket.write('x'), 50)
    socket.once('close', () => clearInterval(drops))
  })
  assert.match(answer, /^(HTTP\/1\.1 408 |$)/)
})

test('headers and targets have a bound, and what is not HTTP is told so', async () => {
  edge = await startTestEdge(answerEmpty)
  const long = await edge.ask(`${path}?x=${'y'.repeat(9000)}`, withKey)
  assert.equal(long.status, 414)
  const headers = { ...withKey.headers, 'x-long': 'y'.repeat(20_000) }
  assert.equal((await edge.ask(path, { headers })).status, 431)
  assert.match(await raw(edge.port, (socket) => socket.write('NONSENSE\r\n\r\n')), /^HTTP\/1\.1 400 /)
  assert.match(
    await raw(edge.port, (socket) => socket.end(`GET ftp://x/ HTTP/1.1\r\nhost: x\r\n\r\n`)),
    /^HTTP\/1\.1 400 /,
  )
})

test('the service learns who calls from the key alone, and never sees the key', async () => {
  const seen: HandlerContext[] = []
  edge = await startTestEdge((method, _message, context) => {
    seen.push(context)
    return create(method.output)
  })
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const forged = {
    'x-consumer-username': 'root',
    'x-consumer-id': '0',
    authorization: 'Bearer x',
    cookie: 'c=1',
  }
  await edge.ask(path, { headers: { ...withKey.headers, ...forged, traceparent } })
  const header = seen[0]?.requestHeader
  assert.equal(header?.get('x-consumer-username'), 'alice')
  assert.equal(header?.get('x-consumer-id'), edge.consumers.find('alice')?.id)
  assert.match(header?.get('traceparent') ?? '', /^00-a{32}-/)
  for (const name of ['apikey', 'authorization', 'cookie']) assert.equal(header?.get(name), null, name)
})

test('two keys in one request are refused', async () => {
  edge = await startTestEdge(answerEmpty)
  const head = `GET ${path} HTTP/1.1\r\nhost: x\r\napikey: sesame\r\napikey: sesame\r\nconnection: close\r\n\r\n`
  assert.match(
    await raw(edge.port, (socket) => socket.write(head)),
    /^HTTP\/1\.1 401 .*Duplicate API key found/s,
  )
})

test('a consumer has so many requests a minute, and is told how many are left', async () => {
  const clock = ownedClock(Date.UTC(2026, 10, 22, 10, 0, 15))
  edge = await startTestEdge(answerEmpty, { limits: { ratePerMinute: 2 }, clock })
  edge.consumers.addKey(edge.consumers.create('bob'), 'mellon')
  const first = await edge.ask(path, withKey)
  const names = [
    'ratelimit-limit',
    'ratelimit-remaining',
    'ratelimit-reset',
    'x-ratelimit-limit-minute',
    'x-ratelimit-remaining-minute',
  ]
  assert.deepEqual(
    names.map((name) => first.headers.get(name)),
    ['2', '1', '45', '2', '1'],
  )
  assert.equal((await edge.ask(path, withKey)).headers.get('ratelimit-remaining'), '0')
  const third = await edge.ask(path, withKey)
  assert.deepEqual([third.status, await third.json()], [429, { message: 'API rate limit exceeded' }])
  assert.equal(third.headers.get('retry-after'), '45')
  assert.equal((await edge.ask(path, { headers: { apikey: 'mellon' } })).status, 200)
  clock.nowAtMs -= 20_000
  assert.equal((await edge.ask(path, withKey)).status, 429, 'a clock that goes back opens nothing')
  clock.nowAtMs += 65_000
  assert.equal((await edge.ask(path, withKey)).status, 200)
})

test('a request that no message can be made of is not counted, as in Kong', async () => {
  edge = await startTestEdge(answerEmpty, { limits: { ratePerMinute: 1 } })
  for (let i = 0; i < 3; i += 1) {
    assert.equal((await edge.ask(queryPath, { ...withKey, method: 'POST', body: '{' })).status, 400)
  }
  assert.equal((await edge.ask(path, withKey)).status, 200)
})

test('a client that leaves has its call cancelled', async () => {
  const leave = new AbortController()
  let aborted = false
  edge = await startTestEdge(async (method, _message, { signal }) => {
    signal.addEventListener('abort', () => {
      aborted = true
    })
    leave.abort()
    await once(signal, 'abort')
    return create(method.output)
  })
  await assert.rejects(edge.ask(path, { ...withKey, signal: leave.signal }))
  await eventually('the call is cancelled', () => aborted)
})

test('more requests at once than there may be are told to come again', async () => {
  const { promise: free, resolve: release } = Promise.withResolvers<void>()
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  const upstream: Upstream = async (method) => {
    begin()
    await free
    return create(method.output)
  }
  edge = await startTestEdge(upstream, { limits: { maxRequestsAtWork: 1 } })
  const first = edge.ask(path, withKey)
  await begun
  assert.equal((await edge.ask(path, withKey)).status, 503)
  release()
  assert.equal((await first).status, 200)
  assert.equal((await edge.ask(path, withKey)).status, 200)
})

test('closing lets a request at work finish within the grace', async () => {
  const { promise: free, resolve: release } = Promise.withResolvers<void>()
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  edge = await startTestEdge(async (method) => {
    begin()
    await free
    return create(method.output)
  })
  const answer = edge.ask(path, withKey)
  await begun
  const closed = edge.edge.close(5000)
  release()
  assert.equal((await answer).status, 200)
  await closed
  await assert.rejects(edge.ask(path, withKey))
})

test('GET / lists the public RPCs, and nothing that has no path', async () => {
  edge = await startTestEdge(answerEmpty)
  const { rpcs } = (await (await edge.ask('/')).json()) as {
    rpcs: { method: string; path: string; rpc: string }[]
  }
  assert.ok(rpcs.some((rpc) => rpc.method === 'POST' && rpc.path === queryPath))
  assert.ok(!rpcs.some(({ rpc }) => rpc.endsWith('/PutDocuments') || rpc.endsWith('/WatchObjective')))
})

test('metrics and log name paths of the contract only, and no key', async () => {
  edge = await startTestEdge(answerEmpty)
  await edge.ask(path, withKey)
  await edge.ask('/made-up/by/the/client', withKey)
  const metrics = await edge.registry.metrics()
  assert.match(
    metrics,
    /nexus_edge_requests_total\{route="GET \/meta-controller\/api\/v1\/objectives\/\{objective_id\}",status="200"\} 1/,
  )
  assert.match(metrics, /nexus_edge_requests_total\{route="none",status="404"\} 1/)
  assert.doesNotMatch(metrics + JSON.stringify(edge.lines), /made-up|sesame/)
})

test('the admin port opens on loopback only', async () => {
  edge = await startTestEdge(answerEmpty)
  await assert.rejects(edge.edge.listenAdmin('0.0.0.0:0'), /opens on loopback only/)
})
