import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { BodyTooLargeError, BodyUnreadableError, discardRest } from './body.ts'
import type { EdgeLimits } from './limits.ts'
import { gatewayReply, type Reply } from './replies.ts'

/** What makes a reply of a request; `signal` aborts when the client is gone. */
export type Answer = (request: IncomingMessage, signal: AbortSignal) => Promise<Reply>

/** A hardened HTTP/1.1 server. States: made, listening, closed. */
export interface HttpServer {
  /** Opens `host:port` (port 0 takes a free one) and gives the port. Errors: the address cannot be had. */
  listen(address: string): Promise<number>
  /** Takes no more requests, lets those at work finish within the grace, then cuts the rest. Idempotent. */
  close(graceMs?: number): Promise<void>
}

const maxHeaders = 100
const connectionsCheckMs = 1000
const maxRequestsPerConnection = 10_000

/** Serves `answer` within the limits; an error that it throws is told to `onError` and answered with 500. */
export function createHttpServer(
  answer: Answer,
  limits: EdgeLimits,
  onError: (error: unknown) => void,
): HttpServer {
  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(connectionsCheckMs, limits.headersTimeoutMs),
    },
    async (request, response) => {
      const reply = await replyTo(answer, request, response, onError)
      // A server that closes must not be kept open by a connection that waits for another request.
      send(request, response, reply, server.listening)
    },
  )
  server.maxHeadersCount = maxHeaders
  server.maxConnections = limits.maxConnections
  server.maxRequestsPerSocket = maxRequestsPerConnection
  // Cuts a client that neither sends nor reads; above the longest call.
  server.timeout = limits.callTimeoutMs + limits.requestTimeoutMs
  server.on('clientError', refuseMalformed)
  return { listen: (address) => listen(server, address), close: (graceMs = 0) => close(server, graceMs) }
}

async function replyTo(
  answer: Answer,
  request: IncomingMessage,
  response: ServerResponse,
  onError: (error: unknown) => void,
): Promise<Reply> {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the client has gone'))
  })
  try {
    return await answer(request, gone.signal)
  } catch (error) {
    return replyToFailure(error, onError)
  }
}

function replyToFailure(error: unknown, onError: (error: unknown) => void): Reply {
  if (error instanceof BodyTooLargeError) return tooLargeReply
  if (error instanceof BodyUnreadableError) return gatewayReply(400, error.message)
  onError(error)
  return gatewayReply(500, 'An unexpected error occurred')
}

/** What Kong's request-size-limiting says. */
export const tooLargeReply: Reply = gatewayReply(413, 'Request size limit exceeded')

function send(request: IncomingMessage, response: ServerResponse, reply: Reply, mayStay: boolean): void {
  if (response.destroyed) return
  const body = Buffer.from(reply.body)
  response.writeHead(reply.status, {
    ...reply.headers,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(request.complete && mayStay ? {} : { connection: 'close' }),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
  if (!request.complete) discardRest(request)
}

/** What is not HTTP, or came too slowly, is answered without ever reaching a handler. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const statuses: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }
  const status = statuses[error.code ?? ''] ?? 400
  const body = JSON.stringify({ message: STATUS_CODES[status] })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
}

function listen(server: Server, address: string): Promise<number> {
  const url = new URL(`http://${address}`)
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) =>
      reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }))
    server.once('error', refuse)
    server.listen({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 80) }, () => {
      server.off('error', refuse)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

async function close(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const cut = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearTimeout(cut)
}
