import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Backend, Routing } from './control.ts'
import { Exchange, type ExchangeEnd, refuse } from './exchange.ts'
import { openPort } from './open-port.ts'
import type { Telemetry } from './telemetry.ts'

const maxStreamsPerConnection = 1000
const streamWindowBytes = 1024 * 1024
/** Larger than a stream's, so that one stream that nobody reads does not stop the others. */
const connectionWindowBytes = 32 * 1024 * 1024
const maxSessionMegabytes = 64
/** Node closes a connection that cancels more often; callers with short deadlines do. */
const resetBurst = 10_000
const resetsPerSecond = 2_000

/** An HTTP/2 proxy for gRPC that gives each request to stable or to the canary by weight. */
export class GrpcProxy {
  readonly #server: Http2Server
  readonly #telemetry: Telemetry
  readonly #random: () => number
  readonly #clients = new Set<ServerHttp2Session>()
  readonly #upstreams = new Map<number, ClientHttp2Session>()
  #routing: Routing = { canaryPercent: 0 }

  /** `random`: numbers in [0, 1) that decide where each request goes. */
  constructor(options: { telemetry: Telemetry; random: () => number }) {
    this.#telemetry = options.telemetry
    this.#random = options.random
    this.#server = createServer({
      settings: { maxConcurrentStreams: maxStreamsPerConnection, initialWindowSize: streamWindowBytes },
      maxSessionMemory: maxSessionMegabytes,
      streamResetBurst: resetBurst,
      streamResetRate: resetsPerSecond,
    })
    this.#server.on('session', (session) => this.#keep(session))
    this.#server.on('sessionError', () => undefined)
    this.#server.on('stream', (stream, headers, flags) => this.#take(stream, headers, flags))
  }

  /** As `openPort`. */
  listen(port: number): Promise<number> {
    return openPort(this.#server, port)
  }

  /** Requests that come from now on go by this; those in flight stay where they are. */
  route(routing: Routing): void {
    this.#routing = routing
    const ports = new Set([routing.stable?.port, routing.canary?.port])
    for (const [port, session] of this.#upstreams) {
      if (ports.has(port)) continue
      this.#upstreams.delete(port)
      session.close()
    }
  }

  /** Cuts everything; idempotent. */
  close(): void {
    this.#server.close()
    for (const session of [...this.#clients, ...this.#upstreams.values()]) session.destroy()
    this.#upstreams.clear()
  }

  #keep(session: ServerHttp2Session): void {
    this.#clients.add(session)
    session.on('error', () => undefined)
    session.on('close', () => this.#clients.delete(session))
    session.setLocalWindowSize(connectionWindowBytes)
  }

  #take(client: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number): void {
    const backend = this.#pick()
    const startMs = performance.now()
    const version = backend?.version ?? 'none'
    const source = headers['x-nexus-source']
    const method = headers[':path'] ?? ''
    this.#telemetry.begin(version)
    const onEnd = (end: ExchangeEnd) => {
      const durationMs = performance.now() - startMs
      const caller = typeof source === 'string' ? source : 'unknown'
      this.#telemetry.finish({ version, method, source: caller, durationMs, ...end })
    }
    if (!backend) {
      onEnd(refuse(client, 'no version of the service is running'))
      return
    }
    try {
      new Exchange({ client, headers, flags, session: this.#sessionTo(backend), onEnd })
    } catch {
      // The session closed between being found and being used.
      onEnd(refuse(client, 'the version that was to take the request is gone'))
    }
  }

  #pick(): Backend | undefined {
    const { stable, canary, canaryPercent } = this.#routing
    return canary && this.#random() * 100 < canaryPercent ? canary : stable
  }

  #sessionTo({ port }: Backend): ClientHttp2Session {
    const open = this.#upstreams.get(port)
    if (open && !open.closed && !open.destroyed) return open
    const session = connect(`http://127.0.0.1:${port}`, {
      settings: { enablePush: false, initialWindowSize: streamWindowBytes },
      maxSessionMemory: maxSessionMegabytes,
    })
    session.on('error', () => undefined)
    session.on('connect', () => session.setLocalWindowSize(connectionWindowBytes))
    session.on('close', () => {
      if (this.#upstreams.get(port) === session) this.#upstreams.delete(port)
    })
    this.#upstreams.set(port, session)
    return session
  }
}
