import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Code, type ConnectError } from '@connectrpc/connect'
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { eventually } from '../eventually.testing.ts'
import { codeOf, type EchoImpl, serveEcho, texts, waiting } from './serve-echo.testing.ts'

test('a reader that stops holds the writer back', async (t) => {
  let made = 0
  const { client } = await serveEcho(t, {
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
  const { client } = await serveEcho(t, {
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

test('a request that breaks a rule is refused in words, with the violations as detail', async (t) => {
  const { client } = await serveEcho(t, {})
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
  const { client } = await serveEcho(t, {
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
  const { port } = await serveEcho(t, {})
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  t.after(async () => client.close())
  const asIs = (bytes: Buffer) => bytes
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest('/nexus.echo.v1.EchoService/Echo', asIs, asIs, Buffer.from([0xff]), resolve)
  })
  assert.equal(error?.code, Code.InvalidArgument)
})

test('a message over the limit is refused in either direction', async (t) => {
  const { client } = await serveEcho(t, {}, { maxMessageBytes: 10_000 })
  await assert.rejects(client.echo({ text: 'x'.repeat(20_000) }), { code: Code.ResourceExhausted })
  await assert.rejects(client.collect(texts('x', 'x'.repeat(20_000))), { code: Code.ResourceExhausted })
  assert.equal((await client.echo({ text: 'x'.repeat(5_000) })).text.length, 5_000)
  const large = await serveEcho(
    t,
    { echo: () => ({ text: 'x'.repeat(20_000) }) },
    { maxMessageBytes: 10_000 },
  )
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
  const { client } = await serveEcho(t, own, { maxCallsInFlight: 3 })
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
  const { client } = await serveEcho(t, own, { maxCallsInFlight: 1 })
  await assert.rejects(client.echo({}, { timeoutMs: 30 }), { code: Code.DeadlineExceeded })
  await assert.rejects(client.echo({}), { code: Code.ResourceExhausted })
  release.resolve()
  await eventually('room for a call', async () => (await codeOf(client.echo({}))) === 'ok')
})

test('every call is counted once, by its code, and nothing stays in flight', async (t) => {
  const { echo } = waiting()
  const { client, registry } = await serveEcho(t, { echo })
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
