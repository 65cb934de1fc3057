import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect'
import { trace } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { Outcome, Tier, Trust } from '../gen/nexus/execution_sandbox/v1/execution_pb.ts'
import {
  type ExecuteResponse,
  ExecutionSandboxService,
} from '../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { systemClock } from '../platform/clock.ts'
import type { RunningService } from '../platform/service.ts'
import { SettingsError } from '../platform/settings.ts'
import { silentLog, startTestServer, type TestServer } from '../platform/testing.ts'
import { start } from './main.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'nexus-sandbox-service-'))
const registry = new Registry()

function startWith(env: Record<string, string>): Promise<RunningService> {
  return start({
    env,
    log: silentLog,
    registry,
    tracer: trace.getTracer('test'),
    clock: systemClock,
    transport: () => assert.fail('the sandbox calls nobody'),
    signal: new AbortController().signal,
  })
}

describe('the service, over gRPC', () => {
  let running: RunningService
  let server: TestServer
  let client: Client<typeof ExecutionSandboxService>

  before(async () => {
    running = await startWith({
      NEXUS_SANDBOX_FOLDER: path.join(folder, 'runs'),
      NEXUS_SANDBOX_MOUNT_ROOTS: folder,
      NEXUS_SANDBOX_TIERS: 'host',
      NEXUS_SANDBOX_ALLOW_HOST: 'true',
      NEXUS_SANDBOX_CONCURRENT: '1',
      NEXUS_SANDBOX_QUEUED: '0',
    })
    server = await startTestServer(running.mounted)
    client = createClient(ExecutionSandboxService, server.transport)
  })
  after(async () => {
    await server.close()
    await running.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const ownCode = { leastTier: Tier.HOST, trust: Trust.TARGET_OWN }

  test('streams output as it comes and ends with one verdict', async () => {
    const program = `process.stdout.write('out'); process.stderr.write('err')
      require('node:fs').writeFileSync(process.env.NEXUS_SCRATCH + '/report', 'done'); process.exitCode = 3`
    const events: ExecuteResponse['event'][] = []
    for await (const { event } of client.execute({
      command: ['node', '-e', program],
      outputs: ['report'],
      ...ownCode,
    })) {
      events.push(event)
    }
    const text = (wanted: string) =>
      Buffer.concat(
        events.map((event) => (event.case === wanted ? (event.value as Uint8Array) : Buffer.alloc(0))),
      )
    assert.equal(text('stdout').toString(), 'out')
    assert.equal(text('stderr').toString(), 'err')
    const last = events.at(-1)
    assert.ok(last?.case === 'verdict')
    const { outcome, exitCode, tier, files } = last.value
    assert.deepEqual([outcome, exitCode, tier], [Outcome.EXITED, 3, Tier.HOST])
    assert.deepEqual(
      files.map((file) => [file.path, Buffer.from(file.content).toString()]),
      [['report', 'done']],
    )
    assert.match(await registry.metrics(), /nexus_executions_total\{tier="host",outcome="exited"\} 1/)
  })

  test('refuses by a verdict what no tier may run', async () => {
    const events = await Array.fromAsync(client.execute({ command: ['node', '-v'] }))
    assert.equal(events.length, 1)
    const event = events[0]?.event
    assert.ok(event?.case === 'verdict')
    assert.equal(event.value.outcome, Outcome.REFUSED)
    assert.match(event.value.refusal, /no tier of this machine is at least unshare/)
  })

  test('answers a bad path with invalid_argument and a full queue with resource_exhausted', async () => {
    const mounts = [{ hostPath: '/etc', path: '/workspace' }]
    await assert.rejects(
      Array.fromAsync(client.execute({ command: ['node', '-v'], mounts, ...ownCode })),
      (error) =>
        error instanceof ConnectError && error.code === Code.InvalidArgument && /mounts/.test(error.message),
    )
    const caller = new AbortController()
    const endless = client.execute(
      { command: ['node', '-e', 'console.log(1); setInterval(() => {}, 1e6)'], ...ownCode },
      { signal: caller.signal },
    )
    const first = endless[Symbol.asyncIterator]()
    await first.next()
    await assert.rejects(
      Array.fromAsync(client.execute({ command: ['node', '-v'], ...ownCode })),
      (error) => error instanceof ConnectError && error.code === Code.ResourceExhausted,
    )
    caller.abort()
    await assert.rejects(first.next(), ConnectError)
    await freeAgain()
  })

  test('tells what each tier can do, strongest first', async () => {
    const { tiers } = await client.getCapabilities({})
    assert.deepEqual(
      tiers.map(({ tier, available }) => [tier, available]),
      [
        [Tier.DOCKER, false],
        [Tier.BUBBLEWRAP, false],
        [Tier.UNSHARE, false],
        [Tier.HOST, true],
      ],
    )
    assert.match(tiers[0]?.remark ?? '', /NEXUS_SANDBOX_TIERS/)
  })

  /** The place of a cancelled execution is free as soon as its program has gone. */
  async function freeAgain(): Promise<void> {
    for (let round = 0; round < 100; round += 1) {
      const events = await Array.fromAsync(client.execute({ command: ['node', '-v'], ...ownCode })).catch(
        () => [],
      )
      if (events.length > 0) return
      await systemClock.sleep(50)
    }
    assert.fail('the place of a cancelled execution is still taken after five seconds')
  }
})

test('without its folders the service does not start, and names the settings', async () => {
  await assert.rejects(startWith({}), (error) => {
    assert.ok(error instanceof SettingsError)
    assert.match(error.message, /NEXUS_SANDBOX_FOLDER/)
    assert.match(error.message, /NEXUS_SANDBOX_MOUNT_ROOTS/)
    return true
  })
})
