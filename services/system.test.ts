import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { createClient } from '@connectrpc/connect'
import { Health, HealthCheckResponse_ServingStatus } from './gen/grpc/health/v1/health_pb.ts'
import { eventually } from './platform/eventually.testing.ts'
import { createGrpcTransport } from './platform/grpc/channel.ts'
import { freePorts } from './platform/testing.ts'
import { createSystem, type Nexus, processesOf, type System, spawnNexus } from './system.testing.ts'

const maxStartMs = 2000
const maxIdleBytes = 350 * 1024 * 1024
const maxEndMs = 2000

let system: System
let nexus: Nexus
let startedMs = 0

before(async () => {
  // The first start compiles nothing and installs nothing, but its files may not be in the page cache yet.
  system = await createSystem({ env: { NEXUS_RATE_LIMIT_PER_MINUTE: '60' } })
  const first = await system.start()
  await first.end('SIGTERM')
  const fromMs = performance.now()
  nexus = await system.start()
  startedMs = performance.now() - fromMs
})

after(async () => {
  await nexus.end('SIGKILL')
  await system.close()
})

async function admin(place: string, body: string) {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return await fetch(`http://127.0.0.1:${system.adminPort}${place}`, { method: 'POST', headers, body })
}

async function rest(place: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`http://127.0.0.1:${system.restPort}${place}`, {
    method: 'POST',
    headers,
    body: text,
  })
  return { status: response.status, text: await response.text() }
}

test(`it is healthy within ${maxStartMs} ms of its start`, (t) => {
  t.diagnostic(`${Math.round(startedMs)} ms`)
  assert.ok(startedMs < maxStartMs, `${Math.round(startedMs)} ms`)
})

test('idle, it takes less than 350 MB', async (t) => {
  if (process.platform !== 'linux') return t.skip('it reads /proc, which is on Linux only')
  const status = await readFile(`/proc/${nexus.process.pid}/status`, 'utf8')
  const bytes = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
  t.diagnostic(`${Math.round(bytes / 2 ** 20)} MB`)
  assert.ok(bytes < maxIdleBytes, `${Math.round(bytes / 2 ** 20)} MB`)
})

test('health answers for the process and for each service', async () => {
  const health = createClient(Health, nexus.transport)
  const services = [
    'meta_controller.v1.MetaController',
    'governor.v1.Governor',
    'code_modifier.v1.CodeModifier',
    'deployer.v1.Deployer',
  ]
  services.push('knowledge_retriever.v1.KnowledgeRetriever', 'orchestrator.v1.Orchestrator')
  services.push('llm_adapter.v1.LlmAdapter', 'execution_sandbox.v1.ExecutionSandbox')
  for (const service of ['', ...services.map((name) => `nexus.${name}Service`)]) {
    const { status } = await health.check({ service })
    assert.equal(status, HealthCheckResponse_ServingStatus.SERVING, service)
  }
})

test('the four steps of the README work, and the objective is judged and counted', async () => {
  assert.equal((await admin('/consumers/', 'username=me')).status, 201)
  assert.equal((await admin('/consumers/me/key-auth', 'key=my-secret-key')).status, 201)
  const key = { apikey: 'my-secret-key' }
  const documents = ['The catalogue of the storefront changes with a release only.']
  assert.equal((await rest('/orchestrator/populate', { documents }, key)).status, 200)
  const answer = await rest('/orchestrator/query', { question: 'When does the catalogue change?' }, key)
  assert.match(answer.text, /changes with a release only/)
  const wish = {
    goal: 'reduce_latency',
    target_metric: 'latency_p95',
    intervention: 'enable_caching',
    affected_metrics: ['error_rate'],
  }
  const submitted = await rest('/meta-controller/api/v1/objective', { ...wish, an_unknown_field: 1 }, key)
  assert.equal(submitted.status, 200, submitted.text)
  const { objective_id: objectiveId, objective } = JSON.parse(submitted.text)
  assert.equal(objective.submitted_by, 'me')
  // Nobody calls the storefront here, so the honest end is to decline.
  const ended = await eventually(
    'the objective has ended',
    async () => {
      const { objective } = await nexus.mind.getObjective({ objectiveId })
      return objective?.reason || undefined
    },
    60_000,
  )
  assert.match(ended, /not enough evidence: 0 requests/)
  const metrics = await (await fetch(`http://127.0.0.1:${system.metricsPort}/metrics`)).text()
  assert.match(
    metrics,
    /nexus_decisions_total\{goal="reduce_latency",intervention="none",outcome="declined"\} 1/,
  )
  await isRemembered(objectiveId, key)
})

/** Who asks is told why, from the record of the decision; and the next decision is told what became of this one. */
async function isRemembered(objectiveId: string, key: Record<string, string>): Promise<void> {
  const question = 'Why was enable_caching on storefront declined?'
  const reply = JSON.parse((await rest('/orchestrator/query', { question }, key)).text)
  assert.match(reply.answer, /declined and nothing was changed, because not enough evidence: 0 requests/)
  assert.deepEqual(
    [reply.citations[0].document_id, reply.citations[0].source],
    [`objective/${objectiveId}/1`, `nexus:objective/${objectiveId}`],
  )
  const again = await nexus.mind.submitObjective({ goal: 'reduce_latency' })
  const objective = await eventually(
    'the second objective has ended',
    async () => {
      const { objective } = await nexus.mind.getObjective({ objectiveId: again.objectiveId })
      return objective?.reason ? objective : undefined
    },
    60_000,
  )
  assert.match(
    objective.decision?.relatedKnowledge.join('\n') ?? '',
    /^What became of enable_caching to reduce_latency on storefront: it was declined and nothing was changed, because not enough evidence/m,
  )
}

test('no key and a wrong key are 401, a bad value is 400 and named, a large body 413, too many calls 429', async () => {
  const wish = { goal: 'reduce_latency' }
  assert.equal((await rest('/meta-controller/api/v1/objective', wish)).status, 401)
  assert.equal((await rest('/meta-controller/api/v1/objective', wish, { apikey: 'wrong' })).status, 401)
  const key = { apikey: 'my-secret-key' }
  for (const [body, field] of [
    [{ goal: 'world_peace' }, 'goal'],
    [{ ...wish, target_metric: 'beauty' }, 'target_metric'],
    [{ ...wish, autonomy: 'AUTONOMY_TOTAL' }, 'autonomy'],
    [{ goal: 7 }, 'goal'],
  ] as const) {
    const reply = await rest('/meta-controller/api/v1/objective', body, key)
    assert.equal(reply.status, 400, reply.text)
    assert.match(reply.text, new RegExp(field))
  }
  assert.equal((await rest('/orchestrator/query', '{"question": ', key)).status, 400)
  assert.equal((await rest('/orchestrator/populate', 'x'.repeat(3 * 1024 * 1024), key)).status, 413)
  const statuses = new Set<number>()
  for (let call = 0; call < 70; call++)
    statuses.add((await rest('/orchestrator/query', { question: 'q' }, key)).status)
  assert.deepEqual([...statuses].toSorted(), [200, 429])
})

test('a second instance on the data folder gets one clear error and changes nothing', async () => {
  const { code, stderr } = await failingStart({
    ...system.env,
    NEXUS_GRPC_PORT: '0',
    NEXUS_METRICS_PORT: '0',
  })
  assert.equal(code, 1)
  assert.match(stderr, /^nexus: the data folder .* is in use by another NEXUS \(process \d+\): stop that one/)
})

test('a port that is taken, a folder that cannot be written and a wrong setting are named with their remedy', async (t) => {
  const other = path.join(system.folder, 'other')
  const taken = createServer().listen(0, '127.0.0.1')
  t.after(() => taken.close())
  await once(taken, 'listening')
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? String(address.port) : ''
  const blocked = path.join(system.folder, 'a-file')
  await writeFile(blocked, '')
  const [metricsPort = 0, localMetricsPort = 0] = await freePorts(2)
  const free = {
    NEXUS_DATA: other,
    NEXUS_GRPC_PORT: '0',
    NEXUS_METRICS_PORT: String(metricsPort),
    NEXUS_LOCAL_PORT: '0',
    NEXUS_LOCAL_METRICS_PORT: String(localMetricsPort),
  }
  for (const [change, message] of [
    [
      { NEXUS_GRPC_PORT: port },
      new RegExp(
        `^nexus: 127.0.0.1:${port} is taken: stop what uses it, or choose another with NEXUS_GRPC_PORT`,
      ),
    ],
    [{ NEXUS_DATA: path.join(blocked, 'data') }, /^nexus: the data folder .* cannot be (made|written|used)/],
    [{ NEXUS_OBSERVE_SECONDS: 'long' }, /NEXUS_OBSERVE_SECONDS=long: must be a whole number from 2 to 120/],
    [{ NEXUS_JOURNAL_URL: 'mysql://x' }, /NEXUS_JOURNAL_URL=mysql:\/\/x: must begin with sqlite: or redis:/],
  ] as const) {
    const { code, stderr } = await failingStart({ ...system.env, ...free, ...change })
    assert.equal(code, 1)
    assert.match(stderr, message)
    assert.equal(stderr.includes('    at '), false, 'a fault that a person can mend shows no stack')
  }
})

/** What is left of the output when the log's JSON lines are taken out. */
async function failingStart(env: Readonly<Record<string, string>>) {
  const child = spawnNexus(system.folder, { ...env, NEXUS_LOG_LEVEL: 'silent' })
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const [code] = await once(child, 'close')
  return { code, stderr }
}

test(`Ctrl-C ends everything within ${maxEndMs} ms, and a draining server says NOT_SERVING`, async (t) => {
  const own = createGrpcTransport({ address: `127.0.0.1:${system.grpcPort}` })
  const health = createClient(Health, own)
  const seen: HealthCheckResponse_ServingStatus[] = []
  const watching = (async () => {
    for await (const { status } of health.watch({ service: '' })) seen.push(status)
  })().catch(() => undefined)
  await eventually('the watcher has heard', () => seen.length > 0)
  const fromMs = performance.now()
  const code = await nexus.end('SIGINT')
  const tookMs = performance.now() - fromMs
  await watching
  own.close()
  t.diagnostic(`${Math.round(tookMs)} ms`)
  assert.equal(code, 0)
  assert.ok(tookMs < maxEndMs, `${Math.round(tookMs)} ms`)
  assert.ok(seen.includes(HealthCheckResponse_ServingStatus.NOT_SERVING))
  if (process.platform === 'linux') assert.deepEqual(await processesOf(system.dataFolder), [])
})
