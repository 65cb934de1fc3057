import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'

const grpcCancelled = 1
const grpcUnknown = 2
const grpcDeadlineExceeded = 4
const grpcUnavailable = 14
/** A caller's own timer and ours start a network's way apart. */
const deadlineSlackMs = 5
const endStreamFlag = constants.NGHTTP2_FLAG_END_STREAM

/** How a request ended. */
export interface ExchangeEnd {
  readonly grpcStatus: number
  readonly httpStatus: number
}

/** Answers a request that no version can take: `unavailable`, as a proxy of the mesh does. */
export function refuse(client: ServerHttp2Stream, message: string): ExchangeEnd {
  client.on('error', ignore)
  if (!client.destroyed && !client.headersSent) client.respond(unavailable(message), { endStream: true })
  client.resume()
  return { grpcStatus: grpcUnavailable, httpStatus: 200 }
}

/**
 * Passes one request to a version and its answer back, byte for byte. States: waiting for the head of the answer, answering,
 * ended. It ends once: by the version's trailers (or a head that is all there is), by the caller's cancellation, or by the loss of
 * the version, which the caller is told as `unavailable`. `onEnd` is called exactly once.
 */
export class Exchange {
  readonly #client: ServerHttp2Stream
  readonly #upstream: ClientHttp2Stream
  readonly #session: ClientHttp2Session
  readonly #deadlineMs: number
  readonly #onEnd: (end: ExchangeEnd) => void
  #trailers: OutgoingHttpHeaders | undefined
  #wantsTrailers = false
  #httpStatus = 200
  #ended = false

  constructor(options: {
    client: ServerHttp2Stream
    headers: IncomingHttpHeaders
    flags: number
    session: ClientHttp2Session
    onEnd: (end: ExchangeEnd) => void
  }) {
    const { client, headers, session } = options
    this.#client = client
    this.#session = session
    this.#onEnd = options.onEnd
    this.#deadlineMs = performance.now() + timeoutMs(headers['grpc-timeout']) - deadlineSlackMs
    const endStream = (options.flags & endStreamFlag) !== 0
    this.#upstream = session.request(headers, { endStream })
    this.#listen()
    if (!endStream) client.pipe(this.#upstream)
  }

  #listen(): void {
    const [client, upstream] = [this.#client, this.#upstream]
    client.on('error', ignore)
    upstream.on('error', ignore)
    upstream.on('response', (headers, flags) => this.#answer(headers, flags))
    upstream.on('trailers', (trailers) => {
      this.#trailers = trailers
      if (this.#wantsTrailers) this.#finish()
    })
    client.on('wantTrailers', () => {
      this.#wantsTrailers = true
      if (this.#trailers) this.#finish()
      else if (upstream.closed) this.#finish()
    })
    upstream.on('close', () => this.#upstreamClosed())
    client.on('close', () => this.#clientClosed())
  }

  #answer(headers: IncomingHttpHeaders & { ':status'?: number }, flags: number): void {
    const client = this.#client
    this.#httpStatus = headers[':status'] ?? 200
    if (client.destroyed || client.closed) return
    if ((flags & endStreamFlag) !== 0) {
      client.respond(headers, { endStream: true, sendDate: false } as object)
      this.#end(statusIn(headers))
      return
    }
    client.respond(headers, { waitForTrailers: true, sendDate: false } as object)
    this.#upstream.pipe(client)
  }

  #finish(): void {
    const client = this.#client
    if (this.#ended || client.destroyed) return
    const trailers = this.#trailers ?? {}
    client.sendTrailers(trailers)
    this.#end(statusIn(trailers))
  }

  /** All went well, or the version reset this request, or its connection is gone. */
  #upstreamClosed(): void {
    if (this.#ended) return
    const client = this.#client
    const isLost = this.#session.destroyed
    const wasReset = this.#upstream.rstCode !== constants.NGHTTP2_NO_ERROR
    if (wasReset && !isLost && !client.destroyed) {
      // The caller's library knows what a reset means, such as that a refused stream may be sent again.
      client.close(this.#upstream.rstCode)
      this.#end(statusOfReset(this.#upstream.rstCode))
      return
    }
    if (!isLost && !wasReset && client.headersSent) {
      if (this.#wantsTrailers) this.#finish()
      return
    }
    if (!client.headersSent) {
      this.#end(refuse(client, 'the version that had the request is gone').grpcStatus)
      return
    }
    this.#trailers = unavailableTrailers('the version that had the request is gone')
    if (this.#wantsTrailers) this.#finish()
    else client.end()
  }

  #clientClosed(): void {
    if (this.#ended) return
    this.#upstream.close(constants.NGHTTP2_CANCEL)
    this.#end(performance.now() >= this.#deadlineMs ? grpcDeadlineExceeded : grpcCancelled)
  }

  #end(grpcStatus: number): void {
    if (this.#ended) return
    this.#ended = true
    // What the caller still sends is read and dropped, so that it does not hold the connection's window.
    this.#client.unpipe(this.#upstream)
    this.#client.resume()
    this.#onEnd({ grpcStatus, httpStatus: this.#httpStatus })
  }
}

const unitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
}

/** The header `grpc-timeout` in milliseconds; Infinity without one. Example: `250m` is 250. */
export function timeoutMs(header: string | string[] | undefined): number {
  const match = /^(\d{1,8})([HMSmun])$/.exec(typeof header === 'string' ? header : '')
  return match ? Number(match[1]) * unitsMs[match[2]!]! : Infinity
}

/** A version that answers without a gRPC status speaks no gRPC: `unknown`. */
function statusIn(headers: OutgoingHttpHeaders | IncomingHttpHeaders): number {
  const status = Number(headers['grpc-status'] ?? Number.NaN)
  return Number.isInteger(status) && status >= 0 && status <= 16 ? status : grpcUnknown
}

/** As the gRPC specification maps the codes of RST_STREAM. */
function statusOfReset(code: number | undefined): number {
  if (code === constants.NGHTTP2_CANCEL) return grpcCancelled
  if (code === constants.NGHTTP2_REFUSED_STREAM) return grpcUnavailable
  return 13
}

function unavailable(message: string): OutgoingHttpHeaders {
  return { ':status': 200, 'content-type': 'application/grpc', ...unavailableTrailers(message) }
}

function unavailableTrailers(message: string): OutgoingHttpHeaders {
  return { 'grpc-status': String(grpcUnavailable), 'grpc-message': message }
}

function ignore(): void {
  // A stream's error is followed by its close, which is where it is dealt with.
}
