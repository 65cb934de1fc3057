import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import { FinishReason, Role } from '../gen/nexus/llm_adapter/v1/completion_pb.ts'
import { type Clock, systemClock } from '../platform/clock.ts'
import {
  completion,
  cutBody,
  failure,
  hang,
  json,
  raw,
  stallBody,
  startProvider,
  streaming,
} from '../platform/openai.testing.ts'
import { freePorts, keepingLog, listOf } from '../platform/testing.ts'
import { settingsFor, startAdapter, temporaryFolder } from './testing.ts'

const messages = [
  { role: Role.SYSTEM, content: 'Be brief.' },
  { role: Role.USER, content: 'What is the secret of the pyramids?' },
]

/** Time goes on as usual, but a pause is over at once and is noted. */
function hastyClock(): { clock: Clock; pausesMs: number[] } {
  const pausesMs: number[] = []
  const sleep = (durationMs: number) => {
    pausesMs.push(durationMs)
    return Promise.resolve()
  }
  return { clock: { ...systemClock, sleep }, pausesMs }
}

async function adapterFor(t: TestContext, env: Record<string, string> = {}) {
  const provider = await startProvider(t)
  const { clock, pausesMs } = hastyClock()
  const adapter = await startAdapter(t, {
    folder: temporaryFolder(t),
    env: settingsFor(provider, env),
    clock,
  })
  return { ...adapter, provider, pausesMs }
}

const failsWith = (code: Code, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConnectError, String(error))
  assert.equal(Code[error.code], Code[code], error.rawMessage)
  assert.match(error.rawMessage, words)
  assert.doesNotMatch(error.rawMessage, /pyramids|sk-secret/)
  return true
}

test('a prompt is completed, with what it cost', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave(completion('There is none.'))
  const answer = await client.complete({ messages, maxOutputTokens: 100, temperature: 0.5 })
  assert.equal(answer.text, 'There is none.')
  assert.equal(answer.finishReason, FinishReason.STOP)
  assert.deepEqual([answer.usage?.inputTokens, answer.usage?.outputTokens], [10n, 5n])
  assert.equal(answer.model, 'the-model-2026')
  const [seen] = provider.seen
  assert.equal(seen?.path, '/v1/chat/completions')
  assert.equal(seen?.authorization, 'Bearer sk-secret-key')
  assert.deepEqual(seen?.body, {
    model: 'the-model',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is the secret of the pyramids?' },
    ],
    max_tokens: 100,
    temperature: 0.5,
    stream: false,
  })
})

test('the reasoning dialect sends max_completion_tokens and no temperature', async (t) => {
  const { client, provider } = await adapterFor(t, { NEXUS_LLM_DIALECT: 'reasoning' })
  provider.behave(completion('x'))
  await client.complete({ messages })
  assert.equal(provider.seen[0]?.body.max_completion_tokens, 4096)
  assert.equal(provider.seen[0]?.body.temperature, undefined)
})

test('an answer that is cut or withheld says so', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave(
    completion('There', { finishReason: 'length' }),
    completion('', { finishReason: 'content_filter' }),
    completion('', { refusal: 'I will not.' }),
  )
  assert.equal((await client.complete({ messages })).finishReason, FinishReason.LENGTH)
  assert.equal((await client.complete({ messages })).finishReason, FinishReason.CONTENT_FILTER)
  const refused = await client.complete({ messages })
  assert.deepEqual([refused.text, refused.finishReason], ['', FinishReason.CONTENT_FILTER])
})

test('429 with Retry-After is waited for as long as it says, in seconds, as a date and in milliseconds', async (t) => {
  const { client, provider, pausesMs } = await adapterFor(t)
  const date = new Date(Date.now() + 10_000).toUTCString()
  provider.behave(
    failure(429, { headers: { 'retry-after': '7' } }),
    failure(429, { headers: { 'retry-after': date } }),
    failure(503, { headers: { 'retry-after-ms': '150' } }),
    completion('at last'),
  )
  assert.equal((await client.complete({ messages })).text, 'at last')
  assert.equal(pausesMs[0], 7_000)
  assert.ok(pausesMs[1]! > 7_000 && pausesMs[1]! <= 10_000, `${pausesMs[1]}`)
  assert.equal(pausesMs[2], 150)
})

test('without Retry-After the pauses are random up to a limit that doubles', async (t) => {
  const { client, provider, pausesMs } = await adapterFor(t)
  provider.behave(failure(500), failure(502), failure(503), completion('at last'))
  await client.complete({ messages })
  assert.equal(pausesMs.length, 3)
  for (const [index, pauseMs] of pausesMs.entries()) assert.ok(pauseMs >= 0 && pauseMs < 500 * 2 ** index)
})

test('tries are bounded', async (t) => {
  const { client, provider, registry } = await adapterFor(t)
  provider.behave(failure(500))
  await assert.rejects(client.complete({ messages }), failsWith(Code.Unavailable, /answered 500/))
  assert.equal(provider.seen.length, 4)
  provider.behave(failure(429))
  await assert.rejects(client.complete({ messages }), failsWith(Code.ResourceExhausted, /answered 429/))
  assert.equal(provider.seen.length, 8)
  assert.match(await registry.metrics(), /nexus_llm_failed_attempts_total\{fault="rate_limited"\} 4/)
})

test('a Retry-After beyond the end of the call ends it at once', async (t) => {
  const { client, provider, pausesMs } = await adapterFor(t, { NEXUS_LLM_TIMEOUT_MS: '5000' })
  provider.behave(failure(429, { headers: { 'retry-after': '60' } }))
  await assert.rejects(client.complete({ messages }), failsWith(Code.ResourceExhausted, /429/))
  assert.deepEqual([provider.seen.length, pausesMs.length], [1, 0])
})

const hopeless = [
  { name: 'a wrong key', behaviour: failure(401), code: Code.FailedPrecondition, words: /NEXUS_LLM_API_KEY/ },
  {
    name: 'an unknown model',
    behaviour: failure(404, { code: 'model_not_found' }),
    code: Code.FailedPrecondition,
    words: /model_not_found.*NEXUS_LLM_MODEL/,
  },
  {
    name: 'a spent quota',
    behaviour: failure(429, { code: 'insufficient_quota' }),
    code: Code.ResourceExhausted,
    words: /quota is spent/,
  },
  {
    name: 'a prompt that is too long',
    behaviour: failure(400, { code: 'context_length_exceeded' }),
    code: Code.InvalidArgument,
    words: /longer than the model takes/,
  },
  {
    name: 'a request that it does not take',
    behaviour: failure(400, { code: 'unsupported_parameter' }),
    code: Code.FailedPrecondition,
    words: /NEXUS_LLM_DIALECT/,
  },
]

for (const { name, behaviour, code, words } of hopeless) {
  test(`not tried again: ${name}`, async (t) => {
    const { client, provider } = await adapterFor(t)
    provider.behave(behaviour)
    await assert.rejects(client.complete({ messages }), failsWith(code, words))
    assert.equal(provider.seen.length, 1)
  })
}

const nonsense = [
  { name: 'a body that is not JSON', behaviour: raw('{"choices": [', 'application/json') },
  { name: 'a page of HTML under 200', behaviour: raw('<h1>Welcome to the proxy</h1>', 'text/html') },
  { name: 'an empty body', behaviour: raw('', 'application/json') },
  { name: 'JSON of another shape', behaviour: json({ result: 'yes' }) },
  { name: 'no choices', behaviour: json({ choices: [] }) },
  { name: 'a body that is cut', behaviour: cutBody },
  { name: 'a redirect', behaviour: raw('', 'text/plain', 302) },
]

for (const { name, behaviour } of nonsense) {
  test(`tried again, then given up: ${name}`, async (t) => {
    const { client, provider } = await adapterFor(t)
    provider.behave(behaviour, completion('well'))
    assert.equal((await client.complete({ messages })).text, 'well')
    provider.behave(behaviour)
    await assert.rejects(client.complete({ messages }), failsWith(Code.Unavailable, /provider/))
  })
}

test('a body without end is cut off', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave((response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const more = () => {
      while (!response.destroyed && response.write(' '.repeat(1 << 20)));
    }
    response.on('drain', more)
    more()
  }, completion('short'))
  assert.equal((await client.complete({ messages })).text, 'short')
  await provider.seen[0]?.abandoned
})

test('a provider that hangs is given up after the try’s time, and the request is ended', async (t) => {
  const { client, provider } = await adapterFor(t, { NEXUS_LLM_ATTEMPT_TIMEOUT_MS: '100' })
  provider.behave(hang, stallBody, completion('awake'))
  assert.equal((await client.complete({ messages })).text, 'awake')
  await Promise.all(provider.seen.slice(0, 2).map(({ abandoned }) => abandoned))
})

test('the time for the whole call is kept', async (t) => {
  const { client, provider } = await adapterFor(t, {
    NEXUS_LLM_TIMEOUT_MS: '250',
    NEXUS_LLM_ATTEMPT_TIMEOUT_MS: '100',
  })
  provider.behave(hang)
  const begunMs = performance.now()
  await assert.rejects(client.complete({ messages }), failsWith(Code.DeadlineExceeded, /no answer within/))
  assert.ok(performance.now() - begunMs < 2_000)
  assert.ok(provider.seen.length <= 3)
})

test('a caller that gives up ends the request to the provider, and its deadline does so too', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave(hang)
  const leaving = new AbortController()
  const call = client.complete({ messages }, { signal: leaving.signal })
  while (provider.seen.length === 0) await new Promise((resolve) => setImmediate(resolve))
  leaving.abort()
  await assert.rejects(call, failsWith(Code.Canceled, /.*/))
  await provider.seen[0]?.abandoned
  await assert.rejects(
    client.complete({ messages }, { timeoutMs: 200 }),
    failsWith(Code.DeadlineExceeded, /.*/),
  )
  await provider.seen[1]?.abandoned
})

test('a provider that is not there is unavailable', async (t) => {
  const [port] = await freePorts(1)
  const { client } = await adapterFor(t, { NEXUS_LLM_URL: `openai:http://127.0.0.1:${port}/v1` })
  await assert.rejects(
    client.complete({ messages }),
    failsWith(Code.Unavailable, /cannot be reached \(ECONNREFUSED\)/),
  )
})

test('a completion is streamed as it comes; the last piece has the reason and the cost', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave(streaming(['There ', 'is ', 'none.']))
  const pieces = await listOf(client.streamCompletion({ prompt: { messages } }))
  assert.deepEqual(
    pieces.map(({ text }) => text),
    ['There ', 'is ', 'none.', ''],
  )
  assert.deepEqual(
    pieces.map(({ finishReason }) => finishReason),
    [0, 0, 0, FinishReason.STOP],
  )
  assert.deepEqual(pieces.at(-1)?.usage?.outputTokens, 5n)
  assert.deepEqual(provider.seen[0]?.body.stream_options, { include_usage: true })
})

test('a stream is tried again until its first piece has come', async (t) => {
  const { client, provider } = await adapterFor(t, { NEXUS_LLM_ATTEMPT_TIMEOUT_MS: '100' })
  provider.behave(failure(503), hang, streaming([], { end: 'cut' }), streaming(['well']))
  const pieces = await listOf(client.streamCompletion({ prompt: { messages } }))
  assert.deepEqual(
    pieces.map(({ text }) => text),
    ['well', ''],
  )
  assert.equal(provider.seen.length, 4)
})

for (const end of ['cut', 'unfinished'] as const) {
  test(`a stream that is ${end} is an error, never a short answer`, async (t) => {
    const { client, provider } = await adapterFor(t)
    provider.behave(streaming(['There ', 'is '], { end }))
    const texts: string[] = []
    const reading = async () => {
      for await (const { text } of client.streamCompletion({ prompt: { messages } })) texts.push(text)
    }
    await assert.rejects(reading, failsWith(Code.Unavailable, /provider/))
    assert.deepEqual(texts, ['There ', 'is '])
    assert.equal(provider.seen.length, 1)
  })
}

test('a stream that falls silent is given up', async (t) => {
  const { client, provider } = await adapterFor(t, { NEXUS_LLM_SILENCE_MS: '100' })
  provider.behave(streaming(['There '], { end: 'silent' }))
  await assert.rejects(
    listOf(client.streamCompletion({ prompt: { messages } })),
    failsWith(Code.DeadlineExceeded, /no answer within 100 ms/),
  )
  await provider.seen[0]?.abandoned
})

test('a stream with a piece that is not JSON, and one that is an error, end in an error', async (t) => {
  const { client, provider } = await adapterFor(t)
  const reading = () => listOf(client.streamCompletion({ prompt: { messages } }))
  provider.behave(
    raw('data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {nonsense\n\n', 'text/event-stream'),
  )
  await assert.rejects(reading(), failsWith(Code.Unavailable, /not JSON/))
  provider.behave(
    raw(
      'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"overloaded"}}\n\n',
      'text/event-stream',
    ),
  )
  await assert.rejects(reading(), failsWith(Code.Unavailable, /provider/))
})

test('who gives a stream up ends the request', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave(streaming(['There ', 'is '], { end: 'silent' }))
  const leaving = new AbortController()
  const reading = async () => {
    const pieces = client.streamCompletion({ prompt: { messages } }, { signal: leaving.signal })
    for await (const { text } of pieces) if (text === 'is ') leaving.abort()
  }
  await assert.rejects(reading(), failsWith(Code.Canceled, /.*/))
  await provider.seen[0]?.abandoned
})

test('texts become vectors in their order', async (t) => {
  const { client, provider } = await adapterFor(t)
  const data = [
    { index: 1, embedding: [0, 1] },
    { index: 0, embedding: [1, 0.5] },
  ]
  provider.behave(json({ model: 'the-embedder', data, usage: { prompt_tokens: 4, total_tokens: 4 } }))
  const answer = await client.embed({ texts: ['a', 'b'] })
  assert.deepEqual(
    answer.embeddings.map(({ values }) => values),
    [
      [1, 0.5],
      [0, 1],
    ],
  )
  assert.deepEqual([answer.usage?.inputTokens, answer.usage?.outputTokens], [4n, 0n])
  assert.equal(provider.seen[0]?.body.model, 'the-embedder')
})

test('vectors that are missing, doubled or of several lengths are not taken', async (t) => {
  const { client, provider } = await adapterFor(t)
  const bad = [
    [{ index: 0, embedding: [1] }],
    [
      { index: 0, embedding: [1] },
      { index: 0, embedding: [2] },
    ],
    [
      { index: 0, embedding: [1] },
      { index: 1, embedding: [1, 2] },
    ],
    [
      { index: 0, embedding: [1] },
      { index: 7, embedding: [1] },
    ],
  ]
  for (const data of bad) {
    provider.behave(json({ data }))
    await assert.rejects(
      client.embed({ texts: ['a', 'b'] }),
      failsWith(Code.Unavailable, /2 vectors of one length/),
    )
  }
})

test('without a model for embeddings Embed says which setting is missing', async (t) => {
  const { client, provider } = await adapterFor(t, { NEXUS_LLM_EMBEDDING_MODEL: '' })
  await assert.rejects(
    client.embed({ texts: ['a'] }),
    failsWith(Code.FailedPrecondition, /NEXUS_LLM_EMBEDDING_MODEL/),
  )
  assert.equal(provider.seen.length, 0)
})

test('without a model every call says how to configure one, and the provider says so too', async (t) => {
  const { client } = await startAdapter(t, { folder: temporaryFolder(t) })
  const plainly = failsWith(Code.FailedPrecondition, /no language model is configured.*NEXUS_LLM_URL=openai:/)
  await assert.rejects(client.complete({ messages }), plainly)
  await assert.rejects(listOf(client.streamCompletion({ prompt: { messages } })), plainly)
  await assert.rejects(
    client.completeStructured({ prompt: { messages }, jsonSchema: '{"type":"object"}', schemaName: 'a' }),
    plainly,
  )
  await assert.rejects(client.embed({ texts: ['a'] }), plainly)
  const provider = await client.getProvider({})
  assert.deepEqual([provider.configured, provider.provider, provider.completionModel], [false, 'builtin', ''])
  assert.match(provider.remark, /NEXUS_LLM_MODEL/)
})

test('settings that do not fit together stop the start and are named', async (t) => {
  const folder = temporaryFolder(t)
  const starting = (env: Record<string, string>) => startAdapter(t, { folder, env })
  await assert.rejects(starting({ NEXUS_LLM_URL: 'openai:https://host/v1' }), /NEXUS_LLM_MODEL is not set/)
  for (const url of [
    'openai:',
    'openai:host/v1',
    'https://host/v1',
    'openai:https://me:pw@host/v1',
    'openai:https://host/v1?key=1',
  ]) {
    await assert.rejects(starting({ NEXUS_LLM_URL: url, NEXUS_LLM_MODEL: 'm' }), /NEXUS_LLM_URL/, url)
  }
})

test('neither prompts nor answers nor keys are logged or told, whatever happens', async (t) => {
  const provider = await startProvider(t)
  const { log, lines } = keepingLog()
  const { clock } = hastyClock()
  const { client, registry } = await startAdapter(t, {
    folder: temporaryFolder(t),
    env: settingsFor(provider),
    clock,
    log,
  })
  const answers = [
    completion('the ANSWER'),
    failure(500),
    failure(401),
    failure(400),
    raw('the ANSWER', 'text/html'),
    json({ choices: 'the ANSWER' }),
    cutBody,
  ]
  for (const behaviour of answers) {
    provider.behave(behaviour)
    await client.complete({ messages }).catch(() => undefined)
    provider.behave(behaviour)
    await client.embed({ texts: ['pyramids'] }).catch(() => undefined)
  }
  provider.behave(completion('{"the ANSWER": 1}'))
  const structured = {
    prompt: { messages },
    schemaName: 'a',
    jsonSchema: '{"type":"object","required":["x"]}',
  }
  await client
    .completeStructured(structured)
    .catch((error: Error) => assert.doesNotMatch(error.message, /ANSWER/))
  const told = JSON.stringify(lines) + (await registry.metrics())
  assert.ok(lines.length > 10)
  assert.doesNotMatch(told, /pyramids|ANSWER|sk-secret/)
})
