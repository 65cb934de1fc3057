import type { IncomingMessage } from 'node:http'
import type { DescService } from '@bufbuild/protobuf'
import { ConnectError, type Transport } from '@connectrpc/connect'
import type { Registry } from 'prom-client'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { createAdmin } from './admin.ts'
import { announcesTooMuch, readBody } from './body.ts'
import type { Consumer, Consumers } from './consumers.ts'
import { createEdgeEvents, type EdgeEvents } from './events.ts'
import { createHttpServer, type HttpServer, tooLargeReply } from './http-server.ts'
import { FieldError } from './json-in.ts'
import { writeMessage } from './json-out.ts'
import { defaultEdgeLimits, type EdgeLimits } from './limits.ts'
import { RateLimit } from './rate-limit.ts'
import {
  errorReply,
  fieldErrorReply,
  gatewayReply,
  jsonReply,
  type Reply,
  unknownPathReply,
} from './replies.ts'
import { type Match, matchRoute, normalisePath, type Route, routesOf } from './routes.ts'
import { requestOf } from './transcode.ts'

export interface EdgeOptions {
  /** The services whose RPCs with `google.api.http` are served; the order decides between paths that overlap. */
  readonly services: readonly DescService[]
  /** Leads to all of them. */
  readonly transport: Transport
  /** Whose keys are good. The edge does not close it. */
  readonly consumers: Consumers
  readonly limits?: Partial<EdgeLimits>
  readonly log: Log
  readonly registry: Registry
  readonly clock: Clock
}

/** The REST API and its admin port. */
export interface Edge {
  /** Opens the REST API on `host:port`; gives the port. Errors: the address cannot be had. */
  listen(address: string): Promise<number>
  /** Opens the admin port, on a loopback address only. Errors: it is not one; it cannot be had. */
  listenAdmin(address: string): Promise<number>
  /** Lets requests at work finish within the grace. Idempotent. */
  close(graceMs?: number): Promise<void>
}

/**
 * Serves RPCs as JSON over HTTP, as Kong with key-auth, grpc-gateway and rate-limiting does before the mesh: paths, JSON,
 * statuses and headers are Kong's; errors have a JSON body besides. It knows services by their descriptors only.
 */
export function createEdge(options: EdgeOptions): Edge {
  const limits: EdgeLimits = { ...defaultEdgeLimits, ...options.limits }
  const events = createEdgeEvents(options.log, options.registry)
  const gateway = new Gateway(options, limits, events)
  const rest = createHttpServer((request, signal) => gateway.answer(request, signal), limits, events.failed)
  const admin = createHttpServer(createAdmin(options.consumers, events), limits, events.failed)
  const open = async (server: HttpServer, what: 'rest' | 'admin', address: string) => {
    const port = await server.listen(address)
    events.listening(what, address.replace(/:\d+$/, `:${port}`))
    return port
  }
  return {
    listen: (address) => open(rest, 'rest', address),
    listenAdmin: async (address) => {
      if (!/^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(address)) {
        throw new Error(
          `the admin port has no authentication, so it opens on loopback only, not on ${address}`,
        )
      }
      return await open(admin, 'admin', address)
    },
    close: async (graceMs) => void (await Promise.all([rest.close(graceMs), admin.close(graceMs)])),
  }
}

/** How far a request came: what is known of it for the log and the metrics. */
interface Progress {
  route: string
  consumer: string
}

type RouteMatch = Extract<Match, { kind: 'route' }> & { readonly query: URLSearchParams }

const corsHeaders = { 'access-control-allow-origin': '*' }
const preflightHeaders = {
  ...corsHeaders,
  'access-control-allow-methods': 'GET,POST,PATCH,DELETE',
  'access-control-allow-headers': 'content-type',
}
const traceparentPattern = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** The gates of a request, in Kong's order: route, size, key, transcoding, rate, call. */
class Gateway {
  readonly #routes: readonly Route[]
  readonly #index: string
  readonly #options: EdgeOptions
  readonly #limits: EdgeLimits
  readonly #rate: RateLimit
  readonly #events: EdgeEvents
  #atWork = 0

  constructor(options: EdgeOptions, limits: EdgeLimits, events: EdgeEvents) {
    this.#routes = routesOf(options.services)
    this.#index = indexOf(this.#routes)
    this.#options = options
    this.#limits = limits
    this.#rate = new RateLimit(limits.ratePerMinute, options.clock)
    this.#events = events
  }

  async answer(request: IncomingMessage, signal: AbortSignal): Promise<Reply> {
    const startedMs = this.#options.clock.monotonicMs()
    const progress: Progress = { route: 'none', consumer: '' }
    const reply = await this.#admit(request, signal, progress)
    const durationMs = this.#options.clock.monotonicMs() - startedMs
    this.#events.answered({ ...progress, status: reply.status, durationMs })
    return reply
  }

  async #admit(request: IncomingMessage, signal: AbortSignal, progress: Progress): Promise<Reply> {
    const { url: target = '/', method: httpMethod = 'GET' } = request
    if (target.length > this.#limits.maxTargetChars) return gatewayReply(414, 'Request-URI Too Large')
    const place = placeOf(target)
    if (place === undefined) return gatewayReply(400, 'the path of the request is not a path')
    if (place.path === '/' && httpMethod === 'GET') return jsonReply(200, this.#index)
    const match = matchRoute(this.#routes, httpMethod, place.path)
    if (match.kind === 'unknown-prefix') return gatewayReply(404, 'no Route matched with those values')
    if (httpMethod === 'OPTIONS') return jsonReply(200, '"OK"', preflightHeaders)
    if (announcesTooMuch(request, this.#limits.maxBodyBytes)) return tooLargeReply
    const consumer = this.#authenticate(request)
    if ('status' in consumer) return consumer
    progress.consumer = consumer.username
    if (match.kind === 'unknown-path')
      return withHeaders(unknownPathReply(httpMethod, place.path), corsHeaders)
    progress.route = `${httpMethod} ${match.route.template}`
    const reply = await this.#serve(request, { ...match, query: place.query }, consumer, signal)
    return withHeaders(reply, corsHeaders)
  }

  /** The consumer, or the refusal in the words of Kong's key-auth. */
  #authenticate(request: IncomingMessage): Consumer | Reply {
    const keys = request.headersDistinct.apikey ?? []
    if (keys.length > 1) return gatewayReply(401, 'Duplicate API key found')
    const [key] = keys
    const challenge = { 'www-authenticate': 'Key' }
    if (key === undefined || key === '') return gatewayReply(401, 'No API key found in request', challenge)
    return this.#options.consumers.authenticate(key) ?? gatewayReply(401, 'Unauthorized', challenge)
  }

  async #serve(
    request: IncomingMessage,
    match: RouteMatch,
    consumer: Consumer,
    signal: AbortSignal,
  ): Promise<Reply> {
    if (this.#atWork >= this.#limits.maxRequestsAtWork) {
      return gatewayReply(503, 'too many requests are at work', { 'retry-after': '1' })
    }
    this.#atWork += 1
    try {
      return await this.#work(request, match, consumer, signal)
    } finally {
      this.#atWork -= 1
    }
  }

  async #work(
    request: IncomingMessage,
    match: RouteMatch,
    consumer: Consumer,
    signal: AbortSignal,
  ): Promise<Reply> {
    const body = await readBody(request, this.#limits.maxBodyBytes)
    let message: ReturnType<typeof requestOf>
    try {
      message = requestOf(match.route, { ...match, body })
    } catch (error) {
      if (error instanceof FieldError) return fieldErrorReply(error)
      throw error
    }
    const rate = this.#rate.take(consumer.id)
    if (!rate.allowed) return gatewayReply(429, 'API rate limit exceeded', rate.headers)
    const header = upstreamHeader(request, consumer)
    return withHeaders(await this.#call(match.route, message, header, signal), rate.headers)
  }

  async #call(
    route: Route,
    message: ReturnType<typeof requestOf>,
    header: Headers,
    signal: AbortSignal,
  ): Promise<Reply> {
    const { transport } = this.#options
    try {
      const reply = await transport.unary(route.rpc, signal, this.#limits.callTimeoutMs, header, message)
      return jsonReply(200, writeMessage(route.rpc.output, reply.message))
    } catch (error) {
      return errorReply(ConnectError.from(error))
    }
  }
}

function placeOf(target: string): { path: string; query: URLSearchParams } | undefined {
  if (!target.startsWith('/')) return undefined
  const question = target.indexOf('?')
  const path = question < 0 ? target : target.slice(0, question)
  try {
    const query = new URLSearchParams(question < 0 ? '' : target.slice(question + 1))
    return { path: normalisePath(path), query }
  } catch {
    return undefined
  }
}

/** Nothing that the client sent but its trace goes on: not the key, and no consumer's name that it made up. */
function upstreamHeader(request: IncomingMessage, consumer: Consumer): Headers {
  const header = new Headers({ 'x-consumer-id': consumer.id, 'x-consumer-username': consumer.username })
  const { traceparent } = request.headers
  if (typeof traceparent === 'string' && traceparentPattern.test(traceparent))
    header.set('traceparent', traceparent)
  return header
}

function withHeaders(reply: Reply, headers: Reply['headers']): Reply {
  return { ...reply, headers: { ...reply.headers, ...headers } }
}

/** What `GET /` answers: the public RPCs, and how to be let in. */
function indexOf(routes: readonly Route[]): string {
  const rpcs = routes.map(({ httpMethod, template, rpc }) => {
    return { method: httpMethod, path: template, rpc: `${rpc.parent.typeName}/${rpc.name}` }
  })
  return JSON.stringify({ name: 'nexus', authentication: 'header apikey', rpcs }, null, 2)
}
