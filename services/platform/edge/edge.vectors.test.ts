import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { create, fromJson, type JsonValue, toJson } from '@bufbuild/protobuf'
import { ConnectError } from '@connectrpc/connect'
import { startTestEdge, type TestEdge } from './edge.testing.ts'
import type { Vector } from './vector.testing.ts'
import { mappings } from './vectors.mappings.testing.ts'
import { refusals } from './vectors.refusals.testing.ts'

let edge: TestEdge
let vector: Vector
let calls: { rpc: string; request: unknown }[] = []

before(async () => {
  edge = await startTestEdge((method, message) => {
    calls.push({ rpc: `${method.parent.typeName}/${method.name}`, request: toJson(method.input, message) })
    const { error, reply } = vector.upstream ?? {}
    if (error) throw new ConnectError(error.message, error.code)
    return reply === undefined ? create(method.output) : fromJson(method.output, reply as JsonValue)
  })
})

after(() => edge.close())

/** Sends the path as it is written; `fetch` would normalise it. */
function send({ method, path, headers = {}, body = '' }: Vector) {
  const all = Object.fromEntries(
    Object.entries({ apikey: 'sesame', ...headers }).filter(([, value]) => value !== ''),
  )
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>(
    (resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: edge.port, method, path, headers: all },
        async (response) => {
          let text = ''
          for await (const chunk of response.setEncoding('utf8')) text += chunk
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
        },
      )
      sent.on('error', reject)
      sent.end(body)
    },
  )
}

for (const each of [...mappings, ...refusals]) {
  test(each.name, async () => {
    vector = each
    calls = []
    const answer = await send(each)
    assert.equal(answer.body, each.answer)
    assert.equal(answer.status, each.status)
    for (const [name, value] of Object.entries(each.answerHeaders ?? {}))
      assert.equal(answer.headers[name], value)
    const expected = each.upstream && [{ rpc: each.upstream.rpc, request: each.upstream.request }]
    assert.deepEqual(calls, expected ?? [])
  })
}
