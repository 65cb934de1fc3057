import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import { Role } from '../gen/nexus/llm_adapter/v1/completion_pb.ts'
import { completion, startProvider } from '../platform/openai.testing.ts'
import { prepareSchema } from './structured.ts'
import { settingsFor, startAdapter, temporaryFolder } from './testing.ts'

const schema = {
  type: 'object',
  properties: { recipe: { type: 'string', enum: ['enable_caching'] }, risk: { type: 'integer' } },
  required: ['recipe', 'risk'],
  additionalProperties: false,
}
const request = {
  prompt: { messages: [{ role: Role.USER, content: 'Choose a recipe.' }] },
  schemaName: 'plan',
  jsonSchema: JSON.stringify(schema),
}

async function adapterFor(t: TestContext) {
  const provider = await startProvider(t)
  const adapter = await startAdapter(t, { folder: temporaryFolder(t), env: settingsFor(provider) })
  return { ...adapter, provider }
}

const failsWith = (code: Code, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConnectError)
  assert.equal(Code[error.code], Code[code], error.rawMessage)
  assert.match(error.rawMessage, words)
  return true
}

const good = '{"recipe": "enable_caching", "risk": 3}'

test('JSON that satisfies the schema is given as it is, and the schema was sent', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave(completion(good))
  const answer = await client.completeStructured(request)
  assert.equal(answer.json, good)
  assert.deepEqual(provider.seen[0]?.body.response_format, {
    type: 'json_schema',
    json_schema: { name: 'plan', schema, strict: true },
  })
})

test('a schema that leaves properties open is sent without the strict mode that forbids this', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave(completion(good))
  const open = {
    type: 'object',
    properties: { inner: { type: 'object', properties: { a: { type: 'string' } } } },
  }
  await client.completeStructured({ ...request, jsonSchema: JSON.stringify(open) })
  const format = provider.seen[0]?.body.response_format as { json_schema: { strict: boolean } }
  assert.equal(format.json_schema.strict, false)
})

for (const [name, first] of [
  ['not JSON', 'Here you are: {'],
  ['of another shape', '{"recipe": "rm -rf", "risk": 3}'],
] as const) {
  test(`an answer that is ${name} is repaired once, with the fault named, and both are paid`, async (t) => {
    const { client, provider } = await adapterFor(t)
    provider.behave(completion(first), completion(good))
    const answer = await client.completeStructured(request)
    assert.equal(answer.json, good)
    assert.deepEqual([answer.usage?.inputTokens, answer.usage?.outputTokens], [20n, 10n])
    const turns = provider.seen[1]?.body.messages as { role: string; content: string }[]
    assert.deepEqual(turns[1], { role: 'assistant', content: first })
    assert.match(turns[2]?.content ?? '', /not JSON|\/recipe must be equal to one of the allowed values/)
  })
}

test('a second wrong answer is an error that does not quote it', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave(completion('{"recipe": "SECRET", "risk": "high"}'))
  await assert.rejects(client.completeStructured(request), (error: Error) => {
    assert.doesNotMatch(error.message, /SECRET/)
    return failsWith(Code.Aborted, /does not satisfy the schema: \/recipe/)(error)
  })
  assert.equal(provider.seen.length, 2)
})

test('a refusal and a cut answer are not repaired', async (t) => {
  const { client, provider } = await adapterFor(t)
  provider.behave(completion('', { refusal: 'No.' }))
  await assert.rejects(client.completeStructured(request), failsWith(Code.Aborted, /declined/))
  provider.behave(completion('{"recipe": "ena', { finishReason: 'length' }))
  await assert.rejects(
    client.completeStructured(request),
    failsWith(Code.Aborted, /max_output_tokens \(4096\)/),
  )
  assert.equal(provider.seen.length, 2)
})

test('a schema that cannot be used is refused before anything is sent', async (t) => {
  const { client, provider } = await adapterFor(t)
  const bad = [
    '{"type"',
    '[]',
    '"x"',
    '{"type":"array"}',
    '{"type":"object","properties":{"a":{"type":"nothing"}}}',
    '{"type":"object","$ref":"https://host/schema.json"}',
  ]
  for (const jsonSchema of bad) {
    await assert.rejects(
      client.completeStructured({ ...request, jsonSchema }),
      failsWith(Code.InvalidArgument, /./),
      jsonSchema,
    )
  }
  assert.equal(provider.seen.length, 0)
})

test('keywords of 2020-12 are known', () => {
  const { faultOf } = prepareSchema(
    '{"type":"object","properties":{"a":{"prefixItems":[{"type":"string"}],"items":false}}}',
  )
  assert.equal(faultOf('{"a":["x"]}'), undefined)
  assert.match(faultOf('{"a":[1]}') ?? '', /\/a\/0 must be string/)
  assert.match(faultOf('{"a":["x",2]}') ?? '', /must NOT have more than 1 items/)
})
