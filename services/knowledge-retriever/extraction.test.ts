import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { Registry } from 'prom-client'
import { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import { type TestClock, testClock } from '../platform/clock.testing.ts'
import { eventually } from '../platform/eventually.testing.ts'
import { mount } from '../platform/service.ts'
import { keepingLog, startTestServer } from '../platform/testing.ts'
import { createKnowledgeEvents } from './events.ts'
import { Extraction } from './extraction.ts'
import { namesOfAnswer } from './extraction-prompt.ts'
import { ModelGate } from './model-gate.ts'
import { TokenAllowance } from './token-allowance.ts'

/** What the adapter answers to a passage: names, or an error. */
type Answers = (prompt: string, signal: AbortSignal) => Promise<readonly string[]> | readonly string[]

interface Started {
  readonly extraction: Extraction
  readonly clock: TestClock
  readonly lines: Record<string, unknown>[]
  readonly prompts: string[]
}

const usage = { inputTokens: 300n, outputTokens: 50n }

async function startExtraction(t: TestContext, answers: Answers, tokensPerDay = 1_000_000): Promise<Started> {
  const prompts: string[] = []
  const unused = () => assert.fail('only structured completions are asked for')
  const adapter = mount(LlmAdapterService, {
    completeStructured: async ({ prompt }, { signal }) => {
      const text = prompt?.messages.at(-1)?.content ?? ''
      prompts.push(text)
      return { json: JSON.stringify({ names: await answers(text, signal), relations: [] }), usage }
    },
    complete: unused,
    streamCompletion: unused,
    embed: unused,
    getProvider: unused,
  })
  const server = await startTestServer([adapter])
  t.after(() => server.close())
  const clock = testClock(Date.UTC(2026, 10, 22, 23, 0))
  const { log, lines } = keepingLog()
  const events = createKnowledgeEvents(log, new Registry())
  const allowance = new TokenAllowance({ tokensPerDay, clock })
  const onStopped = (reason: string, forMs: number) => events.modelStopped('names', reason, forMs)
  const gate = new ModelGate({ allowance, clock, onStopped })
  const models = createClient(LlmAdapterService, server.transport)
  const extraction = new Extraction({ models, gate, events })
  return { extraction, clock, lines, prompts }
}

const documents = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    id: `d${index}`,
    title: '',
    text: 'Tin from cornwall.',
    source: '',
  }))

const unavailable = () => {
  throw new ConnectError('the provider is away', Code.Unavailable)
}

test('only what stands in the passage is a name, however the model writes it', () => {
  const passage = 'The lichen on Mount Aso needs sulphur dioxide. Dioxide of carbon it does not need.'
  const said = ['LICHEN', 'sulphur  dioxide', 'Mount Aso', 'carbon monoxide', 'dioxide. Dioxide', 'the', '']
  const relations = [{ subject: 'lichen', object: 'a'.repeat(300) }]
  assert.deepEqual([...namesOfAnswer({ names: said, relations }, passage)].sort(), [
    'lichen',
    'mount aso',
    'sulphur dioxide',
  ])
  const chinese = '李白是唐朝的诗人。'
  assert.deepEqual([...namesOfAnswer({ names: ['李白', '杜甫'], relations: [] }, chinese)], ['李 白'])
})

test('a long document is read passage by passage, and blank ones ask nobody', async (t) => {
  const { extraction, prompts } = await startExtraction(t, () => ['tin', 'cornwall'])
  const text = `${'Tin is a metal. '.repeat(150)}\n\n${'It came from cornwall. '.repeat(100)}`
  const names = await extraction.namesIn(
    [
      { id: 'long', title: '', text, source: '' },
      { id: 'blank', title: '', text: ' \n', source: '' },
    ],
    {},
  )
  assert.deepEqual(names.get('long'), ['cornwall', 'tin'])
  assert.deepEqual(names.get('blank'), [])
  assert.ok(prompts.length >= 3 && prompts.every((prompt) => prompt.length < 2_000), `${prompts.length}`)
})

test('a model that fails is let alone for a while, then asked again', async (t) => {
  let isAway = true
  const { extraction, clock, lines, prompts } = await startExtraction(t, () =>
    isAway ? unavailable() : ['tin'],
  )
  assert.equal((await extraction.namesIn(documents(20), {})).size, 0)
  assert.ok(prompts.length <= 4, `${prompts.length}`)
  assert.match(extraction.stopped, /the model cannot be asked: .*the provider is away/)
  assert.equal(lines.filter(({ event }) => event === 'model_stopped').length, 1)
  isAway = false
  const asked = prompts.length
  await extraction.namesIn(documents(1), {})
  assert.equal(prompts.length, asked)
  clock.advance(30_000)
  assert.equal(extraction.stopped, '')
  assert.deepEqual((await extraction.namesIn(documents(1), {})).get('d0'), ['tin'])
})

test('a passage whose answer cannot be used has no names, and the others go on', async (t) => {
  let asked = 0
  const { extraction, lines } = await startExtraction(t, () => {
    asked += 1
    if (asked === 1) throw new ConnectError('the JSON does not satisfy the schema', Code.Aborted)
    return ['tin']
  })
  const names = await extraction.namesIn(documents(5), {})
  assert.deepEqual(
    [...names.values()].toSorted((a, b) => a.length - b.length),
    [[], ['tin'], ['tin'], ['tin'], ['tin']],
  )
  assert.equal(lines.filter(({ event }) => event === 'passage_not_read').length, 1)
})

test('the tokens of a day are never exceeded, and the next day begins anew', async (t) => {
  const tokensPerDay = 10_000
  const { extraction, clock, prompts } = await startExtraction(t, () => ['tin'], tokensPerDay)
  const first = await extraction.namesIn(documents(100), {})
  assert.ok(first.size > 1 && first.size * 350 <= tokensPerDay, `${first.size}`)
  assert.equal(prompts.length, first.size)
  assert.match(extraction.stopped, /the 10000 tokens of NEXUS_KNOWLEDGE_DAILY_TOKEN_BUDGET are used up/)
  clock.advance(60 * 60 * 1000)
  assert.equal((await extraction.namesIn(documents(1), {})).size, 1)
})

test('at most four passages are shown to the model at once, whoever stores them', async (t) => {
  let now = 0
  let most = 0
  const { extraction } = await startExtraction(t, async () => {
    now += 1
    most = Math.max(most, now)
    await new Promise((resolve) => setImmediate(resolve))
    now -= 1
    return []
  })
  await Promise.all([1, 2, 3].map(() => extraction.namesIn(documents(12), {})))
  assert.equal(most, 4)
})

test('who does not wait any more is told so, and what was not read in time is left out', async (t) => {
  const hang = (_prompt: string, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const { extraction, prompts } = await startExtraction(t, hang)
  assert.equal((await extraction.namesIn(documents(3), { withinMs: 20.5 })).size, 0)
  assert.equal(extraction.stopped, '')
  const leaving = new AbortController()
  const before = prompts.length
  const asked = extraction.namesIn(documents(3), { signal: leaving.signal })
  await eventually('the question', () => prompts.length > before)
  leaving.abort(new Error('gone'))
  await assert.rejects(asked, /gone/)
})
