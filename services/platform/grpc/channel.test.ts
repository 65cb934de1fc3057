import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Code, ConnectError, createClient, type ServiceImpl } from '@connectrpc/connect'
import { EchoService } from '../../gen/nexus/echo/v1/echo_service_pb.ts'
import { eventually } from '../eventually.testing.ts'
import { mount } from '../service.ts'
import { freePorts, keepingLog, listOf, startTestServer } from '../testing.ts'
import { detached } from './call-context.ts'
import { createGrpcTransport } from './channel.ts'
import { echo as plainEcho } from './echo.testing.ts'

type EchoImpl = ServiceImpl<typeof EchoService>
type EchoClient = ReturnType<typeof createClient<typeof EchoService>>

const plain = plainEcho.implementation as unknown as EchoImpl

/** A back server, and a front server whose handlers call it; what the front does is given by `front`. */
async function chain(
  t: { after(fn: () => Promise<void>): void },
  back: Partial<EchoImpl>,
  front: (peer: EchoClient) => Partial<EchoImpl>,
) {
  const behind = await startTestServer([mount(EchoService, { ...plain, ...back })])
  const { log, lines } = keepingLog()
  const peer = createClient(EchoService, behind.transport)
  const before = await startTestServer([mount(EchoService, { ...plain, ...front(peer) })], { log })
  t.after(async () => {
    await before.close()
    await behind.close()
  })
  return { client: createClient(EchoService, before.transport), lines }
}

function refusing(code: Code): Partial<EchoImpl> {
  return {
    echo: () => {
      throw new ConnectError('said by the peer', code)
    },
  }
}

const passingOn = (peer: EchoClient): Partial<EchoImpl> => ({ echo: (request) => peer.echo(request) })

for (const [code, expected] of [
  [Code.InvalidArgument, Code.Internal],
  [Code.Unauthenticated, Code.Internal],
  [Code.Unimplemented, Code.Internal],
  [Code.NotFound, Code.Internal],
  [Code.Unknown, Code.Internal],
  [Code.Unavailable, Code.Unavailable],
  [Code.ResourceExhausted, Code.Unavailable],
  [Code.DeadlineExceeded, Code.DeadlineExceeded],
  [Code.Canceled, Code.Canceled],
] as const) {
  test(`a peer's ${Code[code]} leaves as ${Code[expected]}, and the log keeps what the peer said`, async (t) => {
    const { client, lines } = await chain(t, refusing(code), passingOn)
    await assert.rejects(client.echo({}), (error: ConnectError) => {
      assert.equal(error.code, expected)
      assert.doesNotMatch(error.rawMessage, /said by the peer/)
      return true
    })
    assert.match(JSON.stringify(lines), /said by the peer/)
  })
}

test("a peer's error in a stream is recoded too", async (t) => {
  const { client } = await chain(
    t,
    {
      // biome-ignore lint/correctness/useYield: this stream fails before its first message.
      async *expand() {
        throw new ConnectError('said by the peer', Code.NotFound)
      },
    },
    (peer) => ({
      async *expand(request) {
        yield* peer.expand(request)
      },
    }),
  )
  await assert.rejects(listOf(client.expand({ text: 'x', count: 1 })), { code: Code.Internal })
})

test('a handler that wants to pass a not_found on says so itself', async (t) => {
  const { client } = await chain(t, refusing(Code.NotFound), (peer) => ({
    echo: async (request) => {
      try {
        return await peer.echo(request)
      } catch (cause) {
        if (ConnectError.from(cause).code !== Code.NotFound) throw cause
        throw new ConnectError('no such thing here', Code.NotFound, undefined, undefined, cause)
      }
    },
  }))
  await assert.rejects(client.echo({}), { code: Code.NotFound, rawMessage: 'no such thing here' })
})

test("the caller's deadline travels through a handler to its callee, also where the handler asks for more", async (t) => {
  const seen: (number | undefined)[] = []
  const { client } = await chain(
    t,
    {
      echo: (_request, context) => {
        seen.push(context.timeoutMs())
        return {}
      },
    },
    (peer) => ({
      echo: async (request) => {
        await peer.echo(request)
        return await peer.echo(request, { timeoutMs: 60_000 })
      },
    }),
  )
  await client.echo({}, { timeoutMs: 2000 })
  assert.equal(seen.length, 2)
  for (const left of seen) assert.ok(left !== undefined && left <= 2001, `${left}`)
})

test("cancelling a call cancels the calls made on its behalf, without the handler's help", async (t) => {
  const reached = Promise.withResolvers<void>()
  const cut = Promise.withResolvers<void>()
  const { client } = await chain(
    t,
    {
      echo: async (_request, context) => {
        reached.resolve()
        context.signal.addEventListener('abort', () => cut.resolve())
        await cut.promise
        return {}
      },
    },
    passingOn,
  )
  const controller = new AbortController()
  const call = client.echo({}, { signal: controller.signal }).catch((error) => ConnectError.from(error).code)
  await reached.promise
  controller.abort()
  assert.equal(await call, Code.Canceled)
  await cut.promise
})

test('the trace context travels through a process that records no spans', async (t) => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  let seen: string | null = null
  const { client } = await chain(
    t,
    {
      echo: (_request, context) => {
        seen = context.requestHeader.get('traceparent')
        return {}
      },
    },
    passingOn,
  )
  await client.echo({}, { headers: { traceparent } })
  assert.equal(seen, traceparent)
})

test('a call left behind by its handler is cancelled, and work started with detached() is not', async (t) => {
  const release = Promise.withResolvers<void>()
  const left = Promise.withResolvers<Code | 'ok'>()
  const kept = Promise.withResolvers<Code | 'ok'>()
  const outcome = (call: Promise<unknown>) =>
    call.then(
      () => 'ok' as const,
      (error) => ConnectError.from(error).code,
    )
  const { client } = await chain(
    t,
    {
      echo: async () => {
        await release.promise
        return {}
      },
    },
    (peer) => ({
      echo: () => {
        left.resolve(outcome(peer.echo({})))
        kept.resolve(detached(() => outcome(peer.echo({}))))
        return {}
      },
    }),
  )
  await client.echo({}, { timeoutMs: 5000 })
  assert.equal(await left.promise, Code.Canceled)
  release.resolve()
  assert.equal(await kept.promise, 'ok')
})

test('a peer that is not there is unavailable at once', async (t) => {
  const [port] = await freePorts(1)
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}` })
  t.after(async () => transport.close())
  await assert.rejects(createClient(EchoService, transport).echo({}), { code: Code.Unavailable })
})

test('a peer that comes back is found again', async (t) => {
  const first = await startTestServer([plainEcho])
  const client = createClient(EchoService, first.transport)
  await client.echo({})
  await first.server.close()
  await eventually('a change of the peer', () =>
    client.echo({}).then(
      () => false,
      () => true,
    ),
  )
  const second = await startTestServer([plainEcho], { port: first.port })
  t.after(second.close)
  await eventually('a change of the peer', () =>
    client.echo({}).then(
      () => true,
      () => false,
    ),
  )
  first.transport.close()
})

test('a call on an already aborted signal does not reach the peer', async (t) => {
  let calls = 0
  const server = await startTestServer([
    mount(EchoService, {
      ...plain,
      echo: () => {
        calls += 1
        return {}
      },
    }),
  ])
  t.after(server.close)
  const client = createClient(EchoService, server.transport)
  await assert.rejects(client.echo({}, { signal: AbortSignal.abort() }), { code: Code.Canceled })
  assert.equal(calls, 0)
})

test('an error in the requests ends the stream, and an ended stream ends its requests', async (t) => {
  const server = await startTestServer([plainEcho])
  t.after(server.close)
  const client = createClient(EchoService, server.transport)
  async function* failing() {
    yield { text: 'a' }
    throw new Error('no more paper')
  }
  await assert.rejects(client.collect(failing()), /no more paper/)
  const stopped = Promise.withResolvers<void>()
  async function* endless() {
    try {
      for (;;) yield { text: 'a' }
    } finally {
      stopped.resolve()
    }
  }
  const controller = new AbortController()
  const call = client.collect(endless(), { signal: controller.signal })
  setImmediate(() => controller.abort())
  await assert.rejects(call, { code: Code.Canceled })
  await stopped.promise
})

test('a long stream arrives whole and in order', async (t) => {
  const server = await startTestServer([plainEcho])
  t.after(server.close)
  const client = createClient(EchoService, server.transport)
  let next = 0
  for await (const reply of client.expand({ text: 'x', count: 20_000 })) {
    assert.equal(reply.index, next)
    next += 1
  }
  assert.equal(next, 20_000)
})
