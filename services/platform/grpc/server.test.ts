import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Code, ConnectError, createClient, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import { Client, credentials, type Metadata, type ServiceError } from '@grpc/grpc-js'
import { Registry } from 'prom-client'
import { EchoService } from '../../gen/nexus/echo/v1/echo_service_pb.ts'
import { eventually } from '../eventually.testing.ts'
import { mount } from '../service.ts'
import { keepingLog, listOf, startTestServer } from '../testing.ts'
import { echo } from './echo.testing.ts'
import type { GrpcLimits } from './limits.ts'
import { createGrpcServer } from './server.ts'

type EchoImpl = ServiceImpl<typeof EchoService>

/** An echo server with some methods of its own, and a client; both end with the test. */
async function serve(
  t: { after(fn: () => Promise<void>): void },
  own: Partial<EchoImpl>,
  limits?: Partial<GrpcLimits>,
) {
  const { log, lines } = keepingLog()
  const mounted = mount(EchoService, { ...(echo.implementation as unknown as EchoImpl), ...own })
  const server = await startTestServer([mounted], { log, limits })
  t.after(server.close)
  return { ...server, lines, client: createClient(EchoService, server.transport) }
}

async function* texts(...all: string[]) {
  for (const text of all) yield { text }
}

/** A handler that waits until its signal aborts, and tells how it ended. */
function waiting() {
  const entered = Promise.withResolvers<HandlerContext>()
  const aborted = Promise.withResolvers<unknown>()
  const echo: EchoImpl['echo'] = async (_request, context) => {
    entered.resolve(context)
    if (!context.signal.aborted) await once(context.signal, 'abort')
    aborted.resolve(context.signal.reason)
    throw context.signal.reason
  }
  return { echo, entered: entered.promise, aborted: aborted.promise }
}

function codeOf(work: Promise<unknown>): Promise<Code | 'ok'> {
  return work.then(
    () => 'ok' as const,
    (error) => ConnectError.from(error).code,
  )
}

test('all four shapes of call answer', async (t) => {
  const { client } = await serve(t, {})
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
  const { client } = await serve(t, {})
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
  const { client } = await serve(t, {
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
  const { client } = await serve(t, {
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
  const { port } = await serve(t, {
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

test('any other error is internal with a neutral message, and its cause is in the log with the trace id', async (t) => {
  const { client, lines } = await serve(t, {
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
  const { client } = await serve(t, { echo })
  await assert.rejects(client.echo({}, { timeoutMs: 50 }), { code: Code.DeadlineExceeded })
  assert.equal(ConnectError.from(await aborted).code, Code.DeadlineExceeded)
})

test('a handler sees how much time its caller has left', async (t) => {
  let left: number | undefined
  const { client } = await serve(t, {
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
  const { port } = await serve(t, { echo }, { defaultDeadlineMs: 40 })
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
  const { client } = await serve(t, { echo })
  const controller = new AbortController()
  const call = codeOf(client.echo({}, { signal: controller.signal }))
  await entered
  controller.abort()
  assert.equal(await call, Code.Canceled)
  assert.equal(ConnectError.from(await aborted).code, Code.Canceled)
})

test('the signal aborts when the handler has finished, so that what it left behind ends too', async (t) => {
  let signal: AbortSignal | undefined
  const { client } = await serve(t, {
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
  const { client } = await serve(t, {
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

test('a reader that stops holds the writer back', async (t) => {
  let made = 0
  const { client } = await serve(t, {
    async *expand() {
      for (; made < 100_000; made += 1) yield { text: 'x'.repeat(10_000) }
    },
  })
  const controller = new AbortController()
  const replies = client.expand({ text: 'x' }, { signal: controller.signal })[Symbol.asyncIterator]()
  await replies.next()
  let before = -1
  await eventually('the writer to be held back', async () => {
    const still = before === made
    before = made
    await new Promise((resolve) => setTimeout(resolve, 50))
    return still
  })
  assert.ok(made < 2000, `${made} messages of 10 kB were made for a reader that took one`)
  controller.abort()
  await assert.rejects(replies.next(), { code: Code.Canceled })
})

test('a handler that does not read holds its caller back', async (t) => {
  let sent = 0
  const release = Promise.withResolvers<void>()
  const { client } = await serve(t, {
    collect: async () => {
      await release.promise
      return {}
    },
  })
  async function* requests() {
    for (; sent < 100_000; sent += 1) yield { text: 'x'.repeat(10_000) }
  }
  const call = client.collect(requests())
  let before = -1
  await eventually('the caller to be held back', async () => {
    const still = before === sent && sent > 0
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 50))
    return still
  })
  assert.ok(sent < 2000, `${sent} messages of 10 kB were taken from a caller that nobody reads`)
  release.resolve()
  await call
})

test('a handler may answer before it has read all requests', async (t) => {
  const { client } = await serve(t, {
    async collect(requests) {
      for await (const request of requests) return { text: request.text, count: 1 }
      return {}
    },
  })
  assert.equal((await client.collect(texts('first', 'second', 'third'))).text, 'first')
})

test('a request that breaks a rule is refused in words, with the violations as detail', async (t) => {
  const { client } = await serve(t, {})
  await assert.rejects(client.echo({ weight: 2, labels: ['ok', ''] }), (error: ConnectError) => {
    assert.equal(error.code, Code.InvalidArgument)
    assert.match(
      error.rawMessage,
      /labels\[1\]: must be at least 1 characters; weight: must be greater than or equal to 0/,
    )
    assert.equal(error.details.length, 1)
    return true
  })
})

test('each message of a stream is checked, and a handler cannot swallow that', async (t) => {
  const { client } = await serve(t, {
    async collect(requests) {
      try {
        for await (const _ of requests);
      } catch {}
      return { text: 'fine' }
    },
  })
  await assert.rejects(client.collect(texts('good', '', 'good')), {
    code: Code.InvalidArgument,
    rawMessage: /^text: /,
  })
})

test('bytes that are no message are the fault of the caller', async (t) => {
  const { port } = await serve(t, {})
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  t.after(async () => client.close())
  const asIs = (bytes: Buffer) => bytes
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest('/nexus.echo.v1.EchoService/Echo', asIs, asIs, Buffer.from([0xff]), resolve)
  })
  assert.equal(error?.code, Code.InvalidArgument)
})

test('a message over the limit is refused in either direction', async (t) => {
  const { client } = await serve(t, {}, { maxMessageBytes: 10_000 })
  await assert.rejects(client.echo({ text: 'x'.repeat(20_000) }), { code: Code.ResourceExhausted })
  await assert.rejects(client.collect(texts('x', 'x'.repeat(20_000))), { code: Code.ResourceExhausted })
  assert.equal((await client.echo({ text: 'x'.repeat(5_000) })).text.length, 5_000)
  const large = await serve(t, { echo: () => ({ text: 'x'.repeat(20_000) }) }, { maxMessageBytes: 10_000 })
  await assert.rejects(large.client.echo({}), { code: Code.ResourceExhausted })
})

test('calls over the limit of calls in flight are refused, and room is given back', async (t) => {
  const release = Promise.withResolvers<void>()
  let inside = 0
  const own: Partial<EchoImpl> = {
    echo: async () => {
      inside += 1
      await release.promise
      return {}
    },
  }
  const { client } = await serve(t, own, { maxCallsInFlight: 3 })
  const held = [client.echo({}), client.echo({}), client.echo({})]
  await eventually('three calls inside', () => inside === 3)
  await assert.rejects(client.echo({}), { code: Code.ResourceExhausted })
  release.resolve()
  await Promise.all(held)
  await client.echo({})
})

test('a handler that ignores its deadline keeps its place until it is done', async (t) => {
  const release = Promise.withResolvers<void>()
  const own: Partial<EchoImpl> = {
    echo: async () => {
      await release.promise
      return {}
    },
  }
  const { client } = await serve(t, own, { maxCallsInFlight: 1 })
  await assert.rejects(client.echo({}, { timeoutMs: 30 }), { code: Code.DeadlineExceeded })
  await assert.rejects(client.echo({}), { code: Code.ResourceExhausted })
  release.resolve()
  await eventually('room for a call', async () => (await codeOf(client.echo({}))) === 'ok')
})

test('every call is counted once, by its code, and nothing stays in flight', async (t) => {
  const { echo } = waiting()
  const { client, registry } = await serve(t, { echo })
  await client.collect(texts('a'))
  await codeOf(client.collect(texts('')))
  await codeOf(client.echo({}, { timeoutMs: 20 }))
  await eventually(
    'no call in flight',
    async () => !/in_flight\{[^}]*\} [1-9]/.test(await registry.metrics()),
  )
  const text = await registry.metrics()
  const counted = text.split('\n').filter((line) => line.startsWith('grpc_server_handled_total{'))
  assert.deepEqual(
    counted.map((line) => line.replace(/.*grpc_method="(\w+)",grpc_code="(\w+)"} (\d+)/, '$1 $2 $3')),
    ['Collect OK 1', 'Collect InvalidArgument 1', 'Echo DeadlineExceeded 1'],
  )
  assert.match(text, /grpc_server_handling_seconds_count\{[^}]*grpc_method="Collect"\} 2/)
})

test('a taken port is said plainly', async (t) => {
  const first = await serve(t, {})
  const { log } = keepingLog()
  const second = createGrpcServer({ mounted: [], log, registry: new Registry() })
  t.after(() => second.close())
  await assert.rejects(
    second.listen(`127.0.0.1:${first.port}`),
    /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  )
})
