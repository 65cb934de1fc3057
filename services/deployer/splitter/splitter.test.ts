import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, test } from 'node:test'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { EchoService } from '../../gen/nexus/echo/v1/echo_service_pb.ts'
import { eventually } from '../../platform/eventually.testing.ts'
import { createGrpcTransport } from '../../platform/grpc/channel.ts'
import { echo } from '../../platform/grpc/echo.testing.ts'
import { mount } from '../../platform/service.ts'
import { parseTextFormat } from '../../platform/signals/text-format.ts'
import { freePorts, listOf, startTestServer } from '../../platform/testing.ts'
import { timeoutMs } from './exchange.ts'
import { type Splitter, startSplitter } from './splitter.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** Handlers that take the place of the plain ones. */
type Overrides = Readonly<Record<string, unknown>>

async function backend(version: string, overrides: Overrides = {}) {
  const implementation = { ...(echo.implementation as object), ...overrides } as never
  const server = await startTestServer([mount(EchoService, implementation)])
  closers.push(() => server.close())
  return { version, port: server.port, close: () => server.close() }
}

async function splitter(): Promise<{ splitter: Splitter; port: number; metricsPort: number }> {
  const [port, metricsPort] = (await freePorts(2)) as [number, number]
  const started = await startSplitter({ service: 'shop', port, metricsPort })
  closers.push(() => started.close())
  return { splitter: started, port, metricsPort }
}

function clientOf(port: number) {
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}` })
  closers.push(() => transport.close())
  return createClient(EchoService, transport)
}

async function* texts(count: number, text = 'x') {
  for (let index = 0; index < count; index++) yield { text: `${text}${index}` }
}

/** A splitter with one stable version behind it, and a client. */
async function simple(overrides: Overrides = {}) {
  const started = await splitter()
  const stable = await backend('aaaaaaaaaa', overrides)
  await started.splitter.route({ stable, canaryPercent: 0 })
  const statuses = async () =>
    (await started.splitter.read())[stable.version]?.requestsByStatus ?? ({} as Record<string, number>)
  return { ...started, stable, client: clientOf(started.port), statuses }
}

const codeOf = (code: Code) => (error: unknown) => error instanceof ConnectError && error.code === code

test('all four kinds of call pass through unchanged', async () => {
  const { client, statuses } = await simple()
  assert.deepEqual((await client.echo({ text: 'a', labels: ['b'] })).labels, ['b'])
  const expanded = await listOf(client.expand({ text: 'y', count: 300 }))
  assert.equal(expanded.length, 300)
  assert.equal((await client.collect(texts(50))).count, 50)
  const answers = await listOf(client.converse(texts(20)))
  assert.equal(answers.at(-1)?.text, 'x19')
  assert.deepEqual(await statuses(), { 0: 4 })
})

test('large messages pass both ways', async () => {
  const { client } = await simple()
  const text = 'z'.repeat(900_000)
  const answers = await Promise.all(Array.from({ length: 8 }, () => client.echo({ text })))
  assert.ok(answers.every((answer) => answer.text === text))
})

test('a stream that is read slowly holds its sender back', async () => {
  let sent = 0
  const { client } = await simple({
    async *expand() {
      for (; sent < 2000; sent++) yield { text: 'q'.repeat(60_000), index: sent }
    },
  })
  const stream = client.expand({ text: 'x', count: 1 })[Symbol.asyncIterator]()
  await stream.next()
  let before = -1
  await eventually('the stream standing still', async () => {
    const settled = sent === before
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 150))
    return settled
  })
  assert.ok(sent < 1000, `${sent} messages of 60 kB were taken though nobody reads`)
  await stream.return?.()
})

test('an error arrives with its code, message and trailers, and is counted by its gRPC status under HTTP 200', async () => {
  const { client, metricsPort } = await simple({
    echo: () => {
      throw new ConnectError('no such thing', Code.NotFound, { 'x-why': 'because' })
    },
  })
  await assert.rejects(client.echo({}, { headers: { 'x-nexus-source': 'web' } }), (error: ConnectError) => {
    assert.equal(error.code, Code.NotFound)
    assert.equal(error.rawMessage, 'no such thing')
    assert.equal(error.metadata.get('x-why'), 'because')
    return true
  })
  const samples = parseTextFormat(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text(), 1000)
  const [requests] = samples.filter((sample) => sample.name === 'istio_requests_total')
  assert.deepEqual(
    { ...requests?.labels },
    {
      reporter: 'destination',
      source_workload: 'web',
      destination_service_name: 'shop',
      destination_service_namespace: 'default',
      request_protocol: 'grpc',
      response_code: '200',
      grpc_response_status: '5',
      rollouts_pod_template_hash: 'aaaaaaaaaa',
    },
  )
  const last = samples.findLast((sample) => sample.name === 'istio_request_duration_milliseconds_bucket')
  assert.deepEqual([last?.labels.le, last?.value], ['+Inf', 1])
})

test('a caller that goes away cancels the work behind the splitter, and counts as cancelled', async () => {
  let cancelled = false
  const { client, statuses } = await simple({
    echo: (_request: unknown, context: { signal: AbortSignal }) =>
      new Promise((_resolve, reject) => {
        context.signal.addEventListener('abort', () => {
          cancelled = true
          reject(context.signal.reason)
        })
      }),
  })
  const abort = new AbortController()
  const call = client.echo({}, { signal: abort.signal })
  setTimeout(() => abort.abort(), 100)
  await assert.rejects(call, codeOf(Code.Canceled))
  await eventually('the cancellation', () => cancelled)
  assert.deepEqual(
    await eventually('a count', async () => Object.keys(await statuses()).length && statuses()),
    { 1: 1 },
  )
})

test('a deadline that passes counts as an error of the version that let it pass', async () => {
  const { client, statuses } = await simple({ echo: () => new Promise(() => undefined) })
  await assert.rejects(client.echo({}, { timeoutMs: 120 }), codeOf(Code.DeadlineExceeded))
  assert.deepEqual(
    await eventually('a count', async () => Object.keys(await statuses()).length && statuses()),
    { 4: 1 },
  )
})

test('a version that is gone, or goes in the middle of an answer, is unavailable', async () => {
  const {
    client,
    splitter: started,
    stable,
    statuses,
  } = await simple({
    async *expand() {
      yield { text: 'one', index: 0 }
      await new Promise(() => undefined)
    },
  })
  const stream = client.expand({ text: 'x', count: 2 })[Symbol.asyncIterator]()
  await stream.next()
  await stable.close()
  await assert.rejects(stream.next(), codeOf(Code.Unavailable))
  await assert.rejects(client.echo({}), codeOf(Code.Unavailable))
  await started.route({ canaryPercent: 0 })
  await assert.rejects(client.echo({}), /no version of the service is running/)
  assert.equal((await statuses())[14], 2)
})

test('requests are split by weight, and the weight is changed under load without a failure', async () => {
  const { splitter: started, stable, client } = await simple()
  const canary = await backend('bbbbbbbbbb')
  const answered = async () => {
    const counts = await started.read()
    const of = (version: string) => counts[version]?.requestsByStatus[0] ?? 0
    return { stable: of(stable.version), canary: of(canary.version) }
  }
  await started.route({ stable, canary, canaryPercent: 20 })
  await Promise.all(Array.from({ length: 1000 }, () => client.echo({})))
  const first = await answered()
  assert.ok(first.canary > 140 && first.canary < 260, `${first.canary} of 1000 at 20 %`)
  const calls = Array.from({ length: 500 }, () => client.echo({}))
  await started.route({ stable, canaryPercent: 0 })
  await Promise.all(calls)
  const before = await answered()
  await Promise.all(Array.from({ length: 200 }, () => client.echo({})))
  assert.equal((await answered()).canary, before.canary)
})

test('port 0 takes free ones and says which', async () => {
  const started = await startSplitter({ service: 'shop', port: 0, metricsPort: 0 })
  closers.push(() => started.close())
  await started.route({ canaryPercent: 0 })
  await assert.rejects(clientOf(started.port).echo({}), /no version of the service is running/)
  assert.match(
    await (await fetch(`http://127.0.0.1:${started.metricsPort}/metrics`)).text(),
    /grpc_response_status="14"/,
  )
})

test('a port that is taken is named with its setting', async () => {
  const other = createServer()
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  closers.push(() => other.close())
  const taken = (other.address() as { port: number }).port
  const [free] = (await freePorts(1)) as [number]
  await assert.rejects(
    startSplitter({ service: 'shop', port: taken, metricsPort: free }),
    new RegExp(
      `port ${taken} for the traffic is in use by another process: free it, or set NEXUS_LOCAL_PORT`,
    ),
  )
  await assert.rejects(
    startSplitter({ service: 'shop', port: free, metricsPort: taken }),
    new RegExp(`port ${taken} for the metrics .* NEXUS_LOCAL_METRICS_PORT`),
  )
})

test('the splitter dies with the process that started it, also by kill -9', async () => {
  const [port, metricsPort] = (await freePorts(2)) as [number, number]
  const parent: ChildProcess = fork(new URL('./parent.testing.ts', import.meta.url), [
    JSON.stringify({ service: 'shop', port, metricsPort }),
  ])
  await once(parent, 'message')
  parent.kill('SIGKILL')
  await eventually('the end of the splitter', () =>
    fetch(`http://127.0.0.1:${metricsPort}/metrics`).then(
      () => false,
      () => true,
    ),
  )
  // And its port can be taken by the next one at once.
  const next = await startSplitter({ service: 'shop', port, metricsPort })
  await next.close()
})

test('grpc-timeout is read in all its units', () => {
  assert.deepEqual(
    ['1H', '2M', '3S', '250m', '5000u', '1000000n'].map(timeoutMs),
    [3_600_000, 120_000, 3000, 250, 5, 1],
  )
  assert.equal(timeoutMs(undefined), Infinity)
  assert.equal(timeoutMs('soon'), Infinity)
})
