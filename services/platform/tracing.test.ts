import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Code, ConnectError, createClient, type ServiceImpl } from '@connectrpc/connect'
import { trace } from '@opentelemetry/api'
import { EchoService } from '../gen/nexus/echo/v1/echo_service_pb.ts'
import { echo } from './grpc/echo.testing.ts'
import { mount } from './service.ts'
import { keepingLog, silentLog, startTestServer } from './testing.ts'
import { openTracing } from './tracing.ts'

const plain = echo.implementation as unknown as ServiceImpl<typeof EchoService>

interface OtlpSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  status: { code?: number }
}

/** A collector that keeps the spans it is sent as OTLP/HTTP JSON. */
async function startCollector(t: { after(fn: () => void): void }) {
  const spans: OtlpSpan[] = []
  const paths: string[] = []
  const server = createServer(async (request, response) => {
    paths.push(request.url ?? '')
    const body = Buffer.concat(await request.toArray()).toString()
    for (const resource of JSON.parse(body).resourceSpans) {
      for (const scope of resource.scopeSpans) spans.push(...scope.spans)
    }
    response.setHeader('content-type', 'application/json').end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { spans, paths, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test('a call through two services is one trace of four spans, and the log lines carry its id', async (t) => {
  const collector = await startCollector(t)
  const tracing = await openTracing({ serviceName: 'test', log: silentLog, otlpUrl: collector.url })
  const tracer = tracing.callTracer
  const back = await startTestServer([echo], { tracer })
  const peer = createClient(EchoService, back.transport)
  const { log, lines } = keepingLog()
  const front = mount(EchoService, {
    ...plain,
    echo: async (request) => {
      trace.getActiveSpan()?.addEvent('asked')
      log.info('asked')
      return await peer.echo(request)
    },
  })
  const server = await startTestServer([front], { tracer })
  await createClient(EchoService, server.transport).echo({ text: 'x' })
  await server.close()
  await back.close()
  await tracing.close()

  assert.deepEqual([...new Set(collector.paths)], ['/v1/traces'])
  assert.equal(collector.spans.length, 4)
  const chain: OtlpSpan[] = []
  for (let parent: string | undefined; chain.length < 4; parent = chain.at(-1)?.spanId) {
    const next = collector.spans.find((span) => (span.parentSpanId || undefined) === parent)
    assert.ok(next, 'each span but the first has its parent in the trace')
    chain.push(next)
  }
  assert.deepEqual(
    chain.map((span) => span.kind),
    [3, 2, 3, 2],
  )
  assert.equal(new Set(chain.map((span) => span.traceId)).size, 1)
  assert.equal(lines[0]?.trace_id, chain[0]?.traceId)
  assert.equal(lines[0]?.span_id, chain[1]?.spanId)
})

test('a failed call is a failed span on both sides, with its code', async (t) => {
  const collector = await startCollector(t)
  const tracing = await openTracing({ serviceName: 'test', log: silentLog, otlpUrl: `${collector.url}/` })
  const failing = mount(EchoService, {
    ...plain,
    echo: () => {
      throw new ConnectError('no', Code.PermissionDenied)
    },
  })
  const server = await startTestServer([failing], { tracer: tracing.callTracer })
  await assert.rejects(createClient(EchoService, server.transport).echo({}), { code: Code.PermissionDenied })
  await server.close()
  await tracing.close()
  assert.deepEqual(
    collector.spans.map((span) => span.status.code),
    [2, 2],
  )
})

test('without an endpoint nothing is recorded and calls are not traced', async () => {
  const tracing = await openTracing({ serviceName: 'test', log: silentLog })
  assert.equal(tracing.callTracer, undefined)
  assert.equal(tracing.tracer.startSpan('x').isRecording(), false)
  await tracing.close()
})

test('a collector that is away costs a log line, neither an error nor time', async () => {
  const { log, lines } = keepingLog()
  const tracing = await openTracing({ serviceName: 'test', log, otlpUrl: 'http://127.0.0.1:9' })
  tracing.tracer.startSpan('lost').end()
  const startedMs = performance.now()
  await tracing.close()
  assert.ok(performance.now() - startedMs < 2000)
  assert.ok(lines.some((line) => String(line.event).startsWith('tracing_')))
})
