import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Client, createClient } from '@connectrpc/connect'
import { KnowledgeRetrieverService } from './gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { AnswerOrigin, OrchestratorService } from './gen/nexus/orchestrator/v1/orchestrator_service_pb.ts'
import { Closers } from './platform/closers.ts'
import { silentLog } from './platform/testing.ts'
import { openProcess, serve } from './serve.ts'

// The memory and the voice together, as people use them: nothing is replaced.

interface Memory {
  readonly voice: Client<typeof OrchestratorService>
  readonly retriever: Client<typeof KnowledgeRetrieverService>
}

async function startMemory(t: TestContext): Promise<Memory> {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-memory-'))
  const closers = new Closers()
  const ending = new AbortController()
  t.after(async () => {
    ending.abort()
    await closers.close()
    rmSync(folder, { recursive: true })
  })
  const env = {
    NEXUS_HOST: '127.0.0.1',
    NEXUS_GRPC_PORT: '0',
    NEXUS_METRICS_PORT: '0',
    NEXUS_GRAPH_URL: `sqlite:${path.join(folder, 'knowledge.sqlite')}`,
    NEXUS_CACHE_URL: 'memory:',
    NEXUS_JOURNAL_URL: `sqlite:${path.join(folder, 'journal.sqlite')}`,
  }
  const { settings } = openProcess(env)
  const life = { signal: ending.signal, closers, end: () => {} }
  const names = ['llm-adapter', 'knowledge-retriever', 'orchestrator'] as const
  const { transport } = await serve(names, { env, settings, log: silentLog, life })
  return {
    voice: createClient(OrchestratorService, transport),
    retriever: createClient(KnowledgeRetrieverService, transport),
  }
}

const everyday = [
  'The storefront sells books and records. Its catalog service answers in 20 ms.',
  'The supplier of the storefront answers slowly on Mondays.',
  'On-call rotates every week. Ada Lovelace is on call in May.',
  'Deployments of the checkout service need two approvals.',
  'The catalog keeps 12,000 articles in memory.',
]

/** A record as the loop writes it when a turn has ended. */
function record(turn: number, subject: string, ending: string, lines: readonly string[]) {
  return {
    id: `objective/o-17/${turn}`,
    title: `${subject} on storefront: ${ending}`,
    text: [`What became of ${subject} on storefront: ${lines[0]}`, ...lines.slice(1)].join('\n\n'),
    source: 'nexus:objective/o-17',
  }
}

const found =
  'What was found: latency_p99 of storefront is 141.0 ms: 3.10 % of 1600 requests took longer than 50 ms, 1.00 % are allowed (p = 2.1e-12).'
const served = (turn: number) =>
  `It served objective o-17, reduce_latency by latency_p99, in turn ${turn}, on base 9f2c, commit 77ab${turn}.`

const records = [
  record(1, 'enable_caching', 'promoted', [
    'it was promoted, because the canary was 38 % faster at p99.',
    'The change c-1 was: getArticle keeps supplier answers for 30 s.',
    'Why it was changed: never tried here: its effect is estimated from the benchmark next.',
    found,
    'What was considered: enable_caching, expected unknown, as it was never tried here; chosen.',
    served(1),
  ]),
  record(2, 'add_timeout', 'aborted', [
    'it was aborted by the canary and reverted, because errors rose from 0.1 % to 4 %.',
    'The change c-2 was: calls to the supplier end after 50 ms.',
    found,
    served(2),
  ]),
  record(3, 'batch_calls', 'refused', [
    'it was refused by policy and nothing was changed, because the error budget of checkout is used up.',
    'The change c-3 was: calls for prices are joined.',
    found,
    'It served objective o-17, reduce_latency by latency_p99, in turn 3, on base 9f2c.',
  ]),
  record(4, 'reduce_errors', 'declined', [
    'it was declined and nothing was changed, because not enough evidence: 3 requests in 60 s of telemetry, 100 are needed.',
    'What was found: 3 requests in 60 s of telemetry, 100 are needed.',
    'It served objective o-17, reduce_errors by error_rate, in turn 4.',
  ]),
]

test('who asks why something was changed is told by the record of the loop, and it is cited', async (t) => {
  const { voice, retriever } = await startMemory(t)
  await voice.populate({ documents: everyday, source: 'handbook' })
  await retriever.putDocuments({ documents: records })
  for (const [question, id, words] of [
    ['Why was this changed?', undefined, /because/],
    [
      'Why was enable_caching on storefront promoted?',
      'objective/o-17/1',
      /because the canary was 38 % faster/,
    ],
    ['Why was the storefront changed by add_timeout?', 'objective/o-17/2', /because errors rose from 0.1 %/],
    ['What became of add_timeout?', 'objective/o-17/2', /aborted by the canary and reverted/],
    ['What was change c-1?', 'objective/o-17/1', /keeps supplier answers for 30 s/],
    [
      'Why was batch_calls refused?',
      'objective/o-17/3',
      /nothing was changed, because the error budget of checkout is used up\./,
    ],
    [
      'Why was reduce_errors on storefront declined?',
      'objective/o-17/4',
      /because not enough evidence: 3 requests in 60 s/,
    ],
  ] as const) {
    const reply = await voice.query({ question })
    assert.equal(reply.origin, AnswerOrigin.EXTRACTED, question)
    assert.match(reply.answer, words, question)
    const [first] = reply.citations
    assert.ok(reply.answer.includes(`[${first?.number}]`))
    assert.equal(first?.source, 'nexus:objective/o-17')
    const cited = createHash('sha256')
      .update(first?.text ?? '')
      .digest('hex')
    assert.deepEqual(
      [first?.passageId, first?.offset, first?.contentHash],
      [`${first?.documentId}#0`, 0, cited],
    )
    if (id !== undefined) assert.equal(first?.documentId, id, question)
  }
})

test('what is not known is not found, with the nearest passages and not a word more', async (t) => {
  const { voice, retriever } = await startMemory(t)
  const question = 'Who wrote the opera Blue Sparrow?'
  const empty = await voice.query({ question })
  assert.equal(empty.origin, AnswerOrigin.NOT_FOUND)
  assert.deepEqual(empty.citations, [])
  await voice.populate({ documents: everyday })
  await retriever.putDocuments({ documents: records })
  for (const asked of [
    question,
    'Why was the opera changed?',
    'What is the melting point of tungsten?',
    '???',
  ]) {
    const reply = await voice.query({ question: asked })
    assert.equal(reply.origin, AnswerOrigin.NOT_FOUND, `${asked} ${reply.answer}`)
    assert.match(reply.answer, /^Not found in the knowledge base\.$/)
  }
})

test('what was populated, replaced, deleted or merged counts for the very next query', async (t) => {
  const { voice, retriever } = await startMemory(t)
  const question = 'Where was Maria Okonjo born?'
  const cited = async () => (await voice.query({ question })).answer
  assert.match(await cited(), /^Not found/)
  const { documentIds } = await voice.populate({ documents: ['Maria Okonjo was born in Tallinn.'] })
  assert.match(await cited(), /Tallinn\. \[1\]/)
  await retriever.deleteDocuments({ ids: documentIds })
  assert.match(await cited(), /^Not found/)
  await retriever.putDocuments({ documents: [{ id: 'm', text: 'Maria Okonjo was born in Riga.' }] })
  assert.match(await cited(), /Riga\. \[1\]/)
  await retriever.putDocuments({ documents: [{ id: 'm', text: 'Maria Okonjo was born in Narva.' }] })
  assert.match(await cited(), /Narva\. \[1\]/)
})
