import type { IncomingMessage } from 'node:http'
import { readBody } from './body.ts'
import { type Consumer, type Consumers, ConsumersError, type Credential, TakenError } from './consumers.ts'
import type { EdgeEvents } from './events.ts'
import type { Answer } from './http-server.ts'
import { gatewayReply, jsonReply, type Reply } from './replies.ts'

const maxBodyBytes = 64 * 1024
const usernamePattern = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/
const keyPattern = /^[\x21-\x7e]{1,512}$/

const notFound = gatewayReply(404, 'Not found')

/**
 * The part of Kong's Admin API that makes consumers and their keys; answers have Kong's shape. It has no authentication:
 * it is for loopback, and refuses what a web page makes a browser send.
 */
export function createAdmin(consumers: Consumers, events: EdgeEvents): Answer {
  return async (request) => {
    const refusal = refuseBrowsers(request)
    if (refusal) return refusal
    const [what, name, more, ...rest] = segmentsOf(request.url ?? '/')
    if (what !== 'consumers' || rest.length > 0) return notFound
    if (name === undefined) return await onConsumers(request, consumers, events)
    const consumer = consumers.find(name)
    if (consumer === undefined) return notFound
    if (more === undefined) return onConsumer(request, consumers, consumer, events)
    return more === 'key-auth' ? await onKeys(request, consumers, consumer, events) : notFound
  }
}

/**
 * A page on the internet can have its name resolve to 127.0.0.1 (then the Host is its name), or post a form there (then
 * the browser sends Origin or Sec-Fetch-Site). curl sends neither.
 */
function refuseBrowsers(request: IncomingMessage): Reply | undefined {
  const { host = '', origin, 'sec-fetch-site': site } = request.headers
  if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i.test(host)) {
    return gatewayReply(403, 'the admin port answers to the hosts 127.0.0.1 and localhost only')
  }
  if (origin !== undefined || (site !== undefined && site !== 'none')) {
    return gatewayReply(403, 'the admin port does not answer web pages')
  }
  return undefined
}

function segmentsOf(target: string): string[] {
  const path = target.split('?', 1)[0] ?? ''
  return path
    .split('/')
    .filter((segment) => segment !== '')
    .map(decoded)
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

async function onConsumers(
  request: IncomingMessage,
  consumers: Consumers,
  events: EdgeEvents,
): Promise<Reply> {
  if (request.method === 'GET')
    return jsonReply(200, JSON.stringify({ data: consumers.list().map(shapeOf), next: null }))
  if (request.method !== 'POST') return gatewayReply(405, 'Method not allowed')
  const { username } = await fieldsOf(request)
  if (typeof username !== 'string' || !usernamePattern.test(username)) {
    return schemaViolation('username', `must match ${usernamePattern.source}`)
  }
  return refusingTaken('username', username, () => {
    const consumer = consumers.create(username)
    events.consumersChanged('created', username)
    return jsonReply(201, JSON.stringify(shapeOf(consumer)))
  })
}

function onConsumer(
  request: IncomingMessage,
  consumers: Consumers,
  consumer: Consumer,
  events: EdgeEvents,
): Reply {
  if (request.method === 'GET') return jsonReply(200, JSON.stringify(shapeOf(consumer)))
  if (request.method !== 'DELETE') return gatewayReply(405, 'Method not allowed')
  consumers.delete(consumer)
  events.consumersChanged('deleted', consumer.username)
  return { status: 204, headers: {}, body: '' }
}

async function onKeys(
  request: IncomingMessage,
  consumers: Consumers,
  consumer: Consumer,
  events: EdgeEvents,
): Promise<Reply> {
  if (request.method === 'GET') {
    return jsonReply(200, JSON.stringify({ data: consumers.listKeys(consumer).map(shapeOfKey), next: null }))
  }
  if (request.method !== 'POST') return gatewayReply(405, 'Method not allowed')
  const { key } = await fieldsOf(request)
  if (key !== undefined && (typeof key !== 'string' || !keyPattern.test(key))) {
    return schemaViolation('key', 'must be 1 to 512 visible ASCII characters')
  }
  return refusingTaken('key', undefined, () => {
    const credential = consumers.addKey(consumer, key)
    events.consumersChanged('key added', consumer.username)
    return jsonReply(201, JSON.stringify({ ...shapeOfKey(credential), key: credential.key }))
  })
}

/** The fields of a form or of a JSON object; `{}` for anything else. */
async function fieldsOf(request: IncomingMessage): Promise<{ readonly [name: string]: unknown }> {
  const body = await readBody(request, maxBodyBytes)
  if (!(request.headers['content-type'] ?? '').includes('json'))
    return Object.fromEntries(new URLSearchParams(body))
  try {
    const json: unknown = JSON.parse(body === '' ? '{}' : body)
    return typeof json === 'object' && json !== null ? Object.fromEntries(Object.entries(json)) : {}
  } catch {
    return {}
  }
}

/** As in Kong, but a key is not repeated: replies end up in terminals and logs. */
function refusingTaken(field: string, value: string | undefined, work: () => Reply): Reply {
  try {
    return work()
  } catch (error) {
    if (error instanceof ConsumersError) return gatewayReply(409, error.message)
    if (!(error instanceof TakenError)) throw error
    const shown = value === undefined ? field : `${field}="${value}"`
    const message = `UNIQUE violation detected on '{${shown}}'`
    const body = {
      code: 5,
      name: 'unique constraint violation',
      message,
      fields: value === undefined ? {} : { [field]: value },
    }
    return jsonReply(409, JSON.stringify(body))
  }
}

function schemaViolation(field: string, what: string): Reply {
  const message = `schema violation (${field}: ${what})`
  return jsonReply(
    400,
    JSON.stringify({ code: 2, name: 'schema violation', message, fields: { [field]: what } }),
  )
}

function shapeOf({ id, username, createdAt }: Consumer): object {
  return { id, username, custom_id: null, tags: null, created_at: createdAt, updated_at: createdAt }
}

function shapeOfKey({ id, consumerId, createdAt }: Credential): object {
  return { id, consumer: { id: consumerId }, tags: null, ttl: null, created_at: createdAt }
}
