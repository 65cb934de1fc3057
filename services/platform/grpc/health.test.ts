import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Code, ConnectError, createClient, type ServiceImpl } from '@connectrpc/connect'
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../gen/grpc/health/v1/health_pb.ts'
import { EchoService } from '../../gen/nexus/echo/v1/echo_service_pb.ts'
import { eventually } from '../eventually.testing.ts'
import { mount } from '../service.ts'
import { keepingLog, startTestServer } from '../testing.ts'
import { createGrpcTransport } from './channel.ts'
import { echo } from './echo.testing.ts'

const plain = echo.implementation as unknown as ServiceImpl<typeof EchoService>

test('health answers for each service, for the whole, and not for strangers', async (t) => {
  const server = await startTestServer([echo])
  t.after(server.close)
  const health = createClient(Health, server.transport)
  assert.equal((await health.check({ service: EchoService.typeName })).status, Status.SERVING)
  assert.equal((await health.check({})).status, Status.SERVING)
  await assert.rejects(health.check({ service: 'who' }), { code: Code.NotFound })
  server.server.setServing(EchoService.typeName, false)
  const { statuses } = await health.list({})
  assert.deepEqual(
    Object.entries(statuses).map(([name, { status }]) => [name, status]),
    [
      ['', Status.SERVING],
      [EchoService.typeName, Status.NOT_SERVING],
    ],
  )
})

test('a watch tells each change once, also of a service that is not there yet', async (t) => {
  const server = await startTestServer([echo])
  t.after(server.close)
  const health = createClient(Health, server.transport)
  const watch = health.watch({ service: 'late' })[Symbol.asyncIterator]()
  const next = async () => (await watch.next()).value?.status
  assert.equal(await next(), Status.SERVICE_UNKNOWN)
  server.server.setServing('late', true)
  assert.equal(await next(), Status.SERVING)
  server.server.setServing('other', false)
  server.server.setServing('late', false)
  assert.equal(await next(), Status.NOT_SERVING)
})

test('a drain says NOT_SERVING, finishes the call in flight, refuses new ones, and then closes', async (t) => {
  const entered = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const slow = mount(EchoService, {
    ...plain,
    echo: async () => {
      entered.resolve()
      await release.promise
      return { text: 'finished' }
    },
  })
  const server = await startTestServer([slow])
  t.after(server.close)
  const health = createClient(Health, server.transport)
  const watch = health.watch({ service: EchoService.typeName })[Symbol.asyncIterator]()
  assert.equal((await watch.next()).value?.status, Status.SERVING)
  const inFlight = createClient(EchoService, server.transport).echo({})
  await entered.promise

  const drained = server.server.drain(5000)
  assert.equal((await watch.next()).value?.status, Status.NOT_SERVING)
  const probe = createGrpcTransport({ address: `127.0.0.1:${server.port}` })
  t.after(async () => probe.close())
  const probed = createClient(Health, probe)
  assert.equal((await probed.check({})).status, Status.NOT_SERVING)
  assert.equal((await probed.check({ service: EchoService.typeName })).status, Status.NOT_SERVING)
  await assert.rejects(createClient(EchoService, probe).echo({}), { code: Code.Unavailable })

  release.resolve()
  assert.equal((await inFlight).text, 'finished')
  await drained
  await eventually('the port to be closed', () =>
    createClient(Health, probe)
      .check({})
      .then(
        () => false,
        (error) => ConnectError.from(error).code === Code.Unavailable,
      ),
  )
})

test('a drain ends when its grace is over, and cancels what is left', async (t) => {
  const entered = Promise.withResolvers<void>()
  const cut = Promise.withResolvers<void>()
  const stuck = mount(EchoService, {
    ...plain,
    echo: async (_request, context) => {
      context.signal.addEventListener('abort', () => cut.resolve())
      entered.resolve()
      await cut.promise
      return {}
    },
  })
  const { log, lines } = keepingLog()
  const server = await startTestServer([stuck], { log })
  t.after(server.close)
  const call = createClient(EchoService, server.transport).echo({})
  const failed = assert.rejects(call)
  await entered.promise
  const startedMs = performance.now()
  await server.server.drain(100)
  assert.ok(performance.now() - startedMs < 1000)
  await failed
  await cut.promise
  assert.ok(lines.some((line) => line.event === 'grpc_server_drain_cut'))
})

test('health answers while the server is full', async (t) => {
  const release = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  const slow = mount(EchoService, {
    ...plain,
    echo: async () => {
      entered.resolve()
      await release.promise
      return {}
    },
  })
  const server = await startTestServer([slow], { limits: { maxCallsInFlight: 1 } })
  t.after(server.close)
  const held = createClient(EchoService, server.transport).echo({})
  await entered.promise
  assert.equal((await createClient(Health, server.transport).check({})).status, Status.SERVING)
  release.resolve()
  await held
})
