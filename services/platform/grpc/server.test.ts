import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { Client, credentials, type Metadata, type ServiceError } from '@grpc/grpc-js'
import { Registry } from 'prom-client'
import { EchoService } from '../../gen/nexus/echo/v1/echo_service_pb.ts'
import { eventually } from '../eventually.testing.ts'
import { JournalUnavailableError } from '../journal/journal.ts'
import { keepingLog, listOf, startTestServer } from '../testing.ts'
import { codeOf, serveEcho, texts, waiting } from './serve-echo.testing.ts'
import { createGrpcServer } from './server.ts'

test('all four shapes of call answer', async (t) => {
  const { client } = await serveEcho(t, {})
  assert.equal((await client.echo({ text: 'a' })).text, 'a')
  const expanded = await listOf(client.expand({ text: 'b', count: 3 }))
  assert.deepEqual(
    expanded.map((reply) => reply.index),
    [0, 1, 2],
  )
  assert.deepEqual(await listOf(client.expand({ text: 'b', count: 0 })), [])
  assert.equal((await client.collect(texts('c', 'd'))).text, 'cd')
  const answers = await listOf(client.converse(texts('e', 'f')))
  assert.deepEqual(
    answers.map((reply) => reply.text),
    ['e', 'f'],
  )
})

test('a conversation alternates: each answer comes before the next request is made', async (t) => {
  const { client } = await serveEcho(t, {})
  const heard: string[] = []
  const gate = { open: Promise.withResolvers<void>() }
  async function* requests() {
    for (const text of ['1', '2', '3']) {
      yield { text }
      await gate.open.promise
      gate.open = Promise.withResolvers<void>()
    }
  }
  for await (const answer of client.converse(requests())) {
    heard.push(answer.text)
    gate.open.resolve()
  }
  assert.deepEqual(heard, ['1', '2', '3'])
})

test('a method that the service leaves out is unimplemented', async (t) => {
  const server = await startTestServer([{ descriptor: EchoService, implementation: {} }])
  t.after(server.close)
  const client = createClient(EchoService, server.transport)
  await assert.rejects(client.echo({}), { code: Code.Unimplemented })
})

test('headers and trailers travel both ways, binary ones too', async (t) => {
  const { client } = await serveEcho(t, {
    echo: (request, context) => {
      context.responseHeader.set('x-seen', context.requestHeader.get('x-sent') ?? '')
      context.responseTrailer.set('x-bytes-bin', context.requestHeader.get('x-bytes-bin') ?? '')
      return { text: request.text }
    },
  })
  let header: Headers | undefined
  let trailer: Headers | undefined
  await client.echo(
    {},
    {
      headers: { 'x-sent': 'yes', 'x-bytes-bin': 'AAEC' },
      onHeader: (headers) => {
        header = headers
      },
      onTrailer: (trailers) => {
        trailer = trailers
      },
    },
  )
  assert.equal(header?.get('x-seen'), 'yes')
  assert.equal(trailer?.get('x-bytes-bin'), 'AAEC')
})

test("a handler's ConnectError reaches the caller with code, message, details and trailers", async (t) => {
  const { client } = await serveEcho(t, {
    echo: () => {
      throw new ConnectError('no such thing: 100 % sure', Code.NotFound, { 'x-hint': 'look elsewhere' }, [
        { desc: EchoService.method.echo.input, value: { text: 'detail' } },
      ])
    },
  })
  const error = await client.echo({}).catch((thrown: unknown) => ConnectError.from(thrown))
  assert.ok(error instanceof ConnectError)
  assert.equal(error.code, Code.NotFound)
  assert.equal(error.rawMessage, 'no such thing: 100 % sure')
  assert.equal(error.metadata.get('x-hint'), 'look elsewhere')
  assert.equal(error.findDetails(EchoService.method.echo.input)[0]?.text, 'detail')
})

test('an error goes out trailers-only, whatever headers the handler has set', async (t) => {
  const { port } = await serveEcho(t, {
    echo: (_request, context) => {
      context.responseHeader.set('x-early', '1')
      throw new ConnectError('no', Code.PermissionDenied)
    },
  })
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  t.after(async () => client.close())
  const asIs = (bytes: Buffer) => bytes
  let metadata: Metadata | undefined
  const error = await new Promise<ServiceError | null>((resolve) => {
    const call = client.makeUnaryRequest(
      '/nexus.echo.v1.EchoService/Echo',
      asIs,
      asIs,
      Buffer.alloc(0),
      resolve,
    )
    call.on('metadata', (received: Metadata) => {
      metadata = received
    })
  })
  assert.equal(error?.code, 7)
  assert.deepEqual(error?.metadata.get('x-early'), ['1'])
  // grpc-js gives the headers of a trailers-only answer as its trailers, and no metadata event.
  assert.equal(metadata, undefined)
})

test('a journal that is away is unavailable, so that the caller tries again', async (t) => {
  const { client } = await serveEcho(t, {
    echo: () => {
      throw new JournalUnavailableError('redis://secret-host does not answer')
    },
  })
  await assert.rejects(client.echo({}), {
    code: Code.Unavailable,
    rawMessage: 'the journal is away: try again later',
  })
})

test('any other error is internal with a neutral message, and its cause is in the log with the trace id', async (t) => {
  const { client, lines } = await serveEcho(t, {
    echo: () => {
      throw new TypeError('the secret is 42')
    },
  })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const call = client.echo({}, { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } })
  await assert.rejects(call, { code: Code.Internal, rawMessage: 'internal error' })
  const line = lines.find((one) => one.event === 'grpc_call_failed')
  assert.equal(line?.trace_id, traceId)
  assert.match(JSON.stringify(line?.error), /the secret is 42/)
})

test('a deadline cancels the work and tells the caller', async (t) => {
  const { echo, aborted } = waiting()
  const { client } = await serveEcho(t, { echo })
  await assert.rejects(client.echo({}, { timeoutMs: 50 }), { code: Code.DeadlineExceeded })
  assert.equal(ConnectError.from(await aborted).code, Code.DeadlineExceeded)
})

test('a handler sees how much time its caller has left', async (t) => {
  let left: number | undefined
  const { client } = await serveEcho(t, {
    echo: (_request, context) => {
      left = context.timeoutMs()
      return {}
    },
  })
  await client.echo({}, { timeoutMs: 5000 })
  assert.ok(left !== undefined && left > 3000 && left <= 5001, `${left}`)
})

test('a call whose caller sets no deadline gets the default one', async (t) => {
  const { echo, aborted } = waiting()
  const { port } = await serveEcho(t, { echo }, { defaultDeadlineMs: 40 })
  // The transport always sets one, so this is a bare client.
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  t.after(async () => client.close())
  const asIs = (bytes: Buffer) => bytes
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest('/nexus.echo.v1.EchoService/Echo', asIs, asIs, Buffer.alloc(0), resolve)
  })
  assert.equal(error?.code, Code.DeadlineExceeded)
  assert.equal(ConnectError.from(await aborted).code, Code.DeadlineExceeded)
})

test("a caller's cancellation aborts the handler's signal", async (t) => {
  const { echo, entered, aborted } = waiting()
  const { client } = await serveEcho(t, { echo })
  const controller = new AbortController()
  const call = codeOf(client.echo({}, { signal: controller.signal }))
  await entered
  controller.abort()
  assert.equal(await call, Code.Canceled)
  assert.equal(ConnectError.from(await aborted).code, Code.Canceled)
})

test('the signal aborts when the handler has finished, so that what it left behind ends too', async (t) => {
  let signal: AbortSignal | undefined
  const { client } = await serveEcho(t, {
    echo: (_request, context) => {
      signal = context.signal
      return {}
    },
  })
  await client.echo({})
  await eventually('the end of the signal', () => signal?.aborted)
})

test('a stream that its caller leaves ends the generator', async (t) => {
  const ended = Promise.withResolvers<void>()
  const { client } = await serveEcho(t, {
    async *expand(request) {
      try {
        for (let index = 0; ; index += 1) yield { text: request.text, index }
      } finally {
        ended.resolve()
      }
    },
  })
  const controller = new AbortController()
  await assert.rejects(
    async () => {
      for await (const reply of client.expand({ text: 'x' }, { signal: controller.signal })) {
        if (reply.index === 10) controller.abort()
      }
    },
    { code: Code.Canceled },
  )
  await ended.promise
})

test('a handler may answer before it has read all requests', async (t) => {
  const { client } = await serveEcho(t, {
    async collect(requests) {
      for await (const request of requests) return { text: request.text, count: 1 }
      return {}
    },
  })
  assert.equal((await client.collect(texts('first', 'second', 'third'))).text, 'first')
})

test('a taken port is said plainly', async (t) => {
  const first = await serveEcho(t, {})
  const { log } = keepingLog()
  const second = createGrpcServer({ mounted: [], log, registry: new Registry() })
  t.after(() => second.close())
  await assert.rejects(
    second.listen(`127.0.0.1:${first.port}`),
    /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  )
})
