import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Registry } from 'prom-client'
import { type Clock, systemClock } from './clock.ts'
import type { Log } from './log.ts'
import { takeProfile } from './profiling.ts'

export interface MetricsServerOptions {
  readonly registry: Registry
  readonly log: Log
  /** Whether the process takes calls; /readyz says 503 while it does not. */
  readonly ready: () => boolean
  /** Serves /debug/pprof/profile and /debug/pprof/heap. Only for a port that strangers do not reach. */
  readonly pprof?: boolean
  readonly clock?: Clock
}

/** /metrics, /healthz, /readyz and, if asked for, /debug/pprof over plain HTTP. */
export interface MetricsServer {
  /** Port 0 takes a free one; gives the port. Errors: the address cannot be had. */
  listen(options: { host: string; port: number }): Promise<number>
  close(): Promise<void>
}

const maxRequestMs = 5_000
const defaultProfileSeconds = 10

type Answer = { readonly status: number; readonly type: string; readonly body: string }

export function createMetricsServer(options: MetricsServerOptions): MetricsServer {
  const server = createServer(
    { requestTimeout: maxRequestMs, headersTimeout: maxRequestMs },
    (request, response) => {
      void respond(options, request, response)
    },
  )
  return {
    listen: async ({ host, port }) => await listen(server, host, port),
    close: () => close(server),
  }
}

async function respond(
  options: MetricsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const left = new AbortController()
  response.once('close', () => left.abort())
  const { status, type, body } = await answer(options, request, left.signal).catch((error) =>
    failed(options.log, error),
  )
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function answer(
  options: MetricsServerOptions,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<Answer> {
  const { registry, ready, pprof = false } = options
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET is answered here')
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://metrics')
  switch (pathname) {
    case '/metrics':
      return { status: 200, type: registry.contentType, body: await registry.metrics() }
    case '/healthz':
      return text(200, 'ok')
    case '/readyz':
      return ready() ? text(200, 'ok') : text(503, 'not ready')
    case '/debug/pprof/profile':
    case '/debug/pprof/heap': {
      if (!pprof) return text(404, 'profiles are off: set NEXUS_PPROF=true')
      const seconds = Number(searchParams.get('seconds') ?? defaultProfileSeconds)
      const kind = pathname.endsWith('heap') ? 'heap' : 'cpu'
      const body = await takeProfile(kind, { seconds, clock: options.clock ?? systemClock, signal })
      return { status: 200, type: 'application/json', body }
    }
    default:
      return text(404, 'not found')
  }
}

function failed(log: Log, error: unknown): Answer {
  if (error instanceof ConnectError && error.code === Code.InvalidArgument) return text(400, error.rawMessage)
  if (error instanceof ConnectError && error.code === Code.ResourceExhausted)
    return text(429, error.rawMessage)
  log.error('metrics_request_failed', { error })
  return text(500, 'internal error')
}

function text(status: number, words: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${words}\n` }
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    throw new Error(`cannot listen on ${host}:${port}: ${(error as Error).message}`, { cause: error })
  }
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : port
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
