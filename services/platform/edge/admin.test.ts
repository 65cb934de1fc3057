import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { systemClock } from '../clock.ts'
import { openConsumers } from './consumers.ts'
import { startTestEdge, type TestEdge } from './edge.testing.ts'

let edge: TestEdge

beforeEach(async () => {
  edge = await startTestEdge((method) => create(method.output))
})

afterEach(() => edge.close())

const form = (fields: Record<string, string>) => ({ method: 'POST', body: new URLSearchParams(fields) })
const json = (fields: object) => {
  return { method: 'POST', body: JSON.stringify(fields), headers: { 'content-type': 'application/json' } }
}

async function statusWith(key: string): Promise<number> {
  return (await edge.ask('/meta-controller/api/v1/objectives/o1', { headers: { apikey: key } })).status
}

test('the two calls of the walk-through make a consumer and a key that is good', async () => {
  const made = await edge.admin('/consumers/', form({ username: 'nexus-user' }))
  assert.equal(made.status, 201)
  const consumer = (await made.json()) as Record<string, unknown>
  assert.deepEqual(Object.keys(consumer).sort(), [
    'created_at',
    'custom_id',
    'id',
    'tags',
    'updated_at',
    'username',
  ])
  assert.equal(consumer.username, 'nexus-user')
  const key = await edge.admin('/consumers/nexus-user/key-auth', form({ key: 'my-key' }))
  assert.equal(key.status, 201)
  const credential = (await key.json()) as Record<string, unknown>
  assert.equal(credential.key, 'my-key')
  assert.deepEqual(credential.consumer, { id: consumer.id })
  assert.equal(await statusWith('my-key'), 200)
})

test('JSON does as well as a form, with or without a trailing slash, by username or id', async () => {
  const made = await edge.admin('/consumers', json({ username: 'bob', extra: 1 }))
  const { id } = (await made.json()) as { id: string }
  const key = await edge.admin(`/consumers/${id}/key-auth/`, json({}))
  const { key: generated } = (await key.json()) as { key: string }
  assert.match(generated, /^[\w-]{32,}$/)
  assert.equal(await statusWith(generated), 200)
})

test('a key is shown once: lists do not have it', async () => {
  const { key } = (await (await edge.admin('/consumers/alice/key-auth', json({}))).json()) as { key: string }
  const keys = await (await edge.admin('/consumers/alice/key-auth')).text()
  const consumers = await (await edge.admin('/consumers/')).text()
  assert.equal((JSON.parse(keys) as { data: unknown[] }).data.length, 2)
  assert.ok(!keys.includes(key) && !consumers.includes(key))
  assert.deepEqual(Object.keys(JSON.parse(consumers)), ['data', 'next'])
})

test('a username or a key that is taken is a conflict, and the key is not repeated', async () => {
  const again = await edge.admin('/consumers/', form({ username: 'alice' }))
  assert.equal(again.status, 409)
  assert.deepEqual(await again.json(), {
    code: 5,
    name: 'unique constraint violation',
    message: 'UNIQUE violation detected on \'{username="alice"}\'',
    fields: { username: 'alice' },
  })
  await edge.admin('/consumers/', form({ username: 'bob' }))
  const taken = await edge.admin('/consumers/bob/key-auth', form({ key: 'sesame' }))
  assert.equal(taken.status, 409)
  assert.doesNotMatch(await taken.text(), /sesame/)
})

test('a consumer that is deleted takes its keys with it', async () => {
  assert.equal(await statusWith('sesame'), 200)
  assert.equal((await edge.admin('/consumers/alice', { method: 'DELETE' })).status, 204)
  assert.equal(await statusWith('sesame'), 401)
  assert.equal((await edge.admin('/consumers/alice')).status, 404)
})

test('bad names, bad keys, unknown paths and methods are told apart', async () => {
  for (const username of ['', 'a b', '../x', 'x'.repeat(200), 'ü']) {
    assert.equal((await edge.admin('/consumers/', form({ username }))).status, 400, username)
  }
  for (const key of ['', 'a b', 'x'.repeat(600)]) {
    assert.equal((await edge.admin('/consumers/alice/key-auth', form({ key }))).status, 400, key)
  }
  assert.equal((await edge.admin('/consumers/', json({ username: { $ne: 1 } }))).status, 400)
  assert.equal((await edge.admin('/consumers/', { method: 'POST', body: '{' })).status, 400)
  assert.equal((await edge.admin('/consumers/nobody/key-auth', json({}))).status, 404)
  assert.equal((await edge.admin('/services/')).status, 404)
  assert.equal((await edge.admin('/consumers/', { method: 'PATCH' })).status, 405)
  assert.equal((await edge.admin('/consumers/', form({ username: 'x'.repeat(70_000) }))).status, 413)
})

test('a web page cannot reach the admin port through a browser', async () => {
  const headers = { 'sec-fetch-site': 'cross-site' }
  const withOrigin = { ...form({ username: 'eve' }), headers: { origin: 'http://evil.example' } }
  assert.equal((await edge.admin('/consumers/', withOrigin)).status, 403)
  assert.equal(await statusOfAdmin({ host: 'evil.example' }), 403)
  assert.equal(await statusOfAdmin({ host: 'localhost:8001', ...headers }), 403)
  assert.equal(await statusOfAdmin({ host: 'localhost:8001' }), 200)
})

/** `fetch` does not let a Host be set. */
function statusOfAdmin(headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port: edge.adminPort, path: '/consumers/', headers },
      (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      },
    )
    sent.on('error', reject).end()
  })
}

test('neither the database nor its log on disk has a key; the next start knows it all the same', () => {
  for (const file of ['consumers.sqlite', 'consumers.sqlite-wal']) {
    const bytes = readFileSync(path.join(edge.folder, file), 'latin1')
    assert.ok(!bytes.includes('sesame'), file)
  }
  const reopened = openConsumers(edge.folder, systemClock)
  assert.equal(reopened.authenticate('sesame')?.username, 'alice')
  assert.equal(reopened.authenticate('Sesame'), undefined)
  reopened.close()
})

test('consumers whose secret is gone stop the start, with the remedy', () => {
  rmSync(path.join(edge.folder, 'keys', 'consumers.secret'))
  assert.throws(() => openConsumers(edge.folder, systemClock), /consumers\.secret is missing.*bring it back/)
})
