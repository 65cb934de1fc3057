import { createServiceImplSpec } from '@connectrpc/connect'
import { Server, ServerCredentials, type ServerOptions } from '@grpc/grpc-js'
import type { Tracer } from '@opentelemetry/api'
import type { Registry } from 'prom-client'
import type { Log } from '../log.ts'
import type { MountedService } from '../service.ts'
import { createCallMetrics } from './call-metrics.ts'
import { asIs } from './codec.ts'
import * as events from './events.ts'
import { Gate } from './gate.ts'
import { grpcHandler } from './handlers.ts'
import { createHealth } from './health.ts'
import { defaultLimits, type GrpcLimits } from './limits.ts'
import { quietGrpc } from './quiet.ts'
import { createReflection } from './reflection.ts'
import type { Serving } from './server-call.ts'

export interface GrpcServerOptions {
  readonly mounted: readonly MountedService[]
  readonly log: Log
  readonly registry: Registry
  /** Absent: no spans and no cost. */
  readonly tracer?: Tracer
  readonly limits?: Partial<GrpcLimits>
}

/** A gRPC server with health, reflection and metrics. States: made, listening, draining, closed. */
export interface GrpcServer {
  /** Opens `host:port` (port 0 takes a free one) and gives the port. Errors: the address cannot be had. */
  listen(address: string): Promise<number>
  /** Sets the health of one service, by its proto name; '' is the process. All are serving from the start. */
  setServing(serviceName: string, serving: boolean): void
  /** Health says NOT_SERVING, new calls go elsewhere, calls in flight finish within the grace; then closes. */
  drain(graceMs: number): Promise<void>
  /** Cuts what is left and closes the port; idempotent. */
  close(): Promise<void>
}

/** Mounts Connect handlers on a grpc-js server. Plain text: the mesh does mutual TLS around it. */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  quietGrpc()
  const { log } = options
  const limits: GrpcLimits = { ...defaultLimits, ...options.limits }
  const server = new Server(serverOptions(limits))
  const names = options.mounted.map((service) => service.descriptor.typeName)
  const health = createHealth(names)
  const gate = new Gate(limits.maxCallsInFlight)
  const serving: Serving = {
    log,
    metrics: createCallMetrics(options.registry),
    gate,
    limits,
    tracer: options.tracer,
  }
  for (const service of options.mounted) register(server, serving, service)
  // Probes and reflection have to be answered when the server is full or draining, and are not worth a span.
  const aside: Serving = { ...serving, gate: new Gate(maxCallsAside), tracer: undefined }
  for (const service of [health.mounted, ...createReflection(options.mounted)])
    register(server, aside, service)
  return new RunningServer(server, gate, health, log)
}

const maxCallsAside = 1000

function register(server: Server, serving: Serving, service: MountedService): void {
  const { methods } = createServiceImplSpec(service.descriptor, service.implementation)
  for (const spec of Object.values(methods)) {
    const { type, handle } = grpcHandler(serving, spec)
    const path = `/${service.descriptor.typeName}/${spec.method.name}`
    if (!server.register(path, handle, asIs, asIs, type)) throw new Error(`${path} is mounted twice`)
  }
}

function serverOptions(limits: GrpcLimits): ServerOptions {
  return {
    'grpc.max_receive_message_length': limits.maxMessageBytes,
    'grpc.max_send_message_length': limits.maxMessageBytes,
    // Above the limit of calls, so that the caller is told why; bounded, so that a flood of streams is not.
    'grpc.max_concurrent_streams': limits.maxCallsInFlight * 2 + maxCallsAside,
    'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.enable_channelz': 0,
  }
}

class RunningServer implements GrpcServer {
  readonly #server: Server
  readonly #gate: Gate
  readonly #health: ReturnType<typeof createHealth>
  readonly #log: Log
  #address: string | undefined
  #closed = false

  constructor(server: Server, gate: Gate, health: ReturnType<typeof createHealth>, log: Log) {
    this.#server = server
    this.#gate = gate
    this.#health = health
    this.#log = log
  }

  async listen(address: string): Promise<number> {
    const port = await bind(this.#server, address)
    this.#address = address.replace(/:\d+$/, `:${port}`)
    events.serverListening(this.#log, this.#address)
    return port
  }

  setServing(serviceName: string, serving: boolean): void {
    this.#health.set(serviceName, serving)
  }

  async drain(graceMs: number): Promise<void> {
    this.#health.stopServing()
    const empty = this.#gate.close()
    // GOAWAY on the open connections; the port stays open, so that a probe on a new one is told NOT_SERVING.
    if (this.#address !== undefined) this.#server.drain(this.#address, graceMs)
    if (!(await within(empty, graceMs))) events.drainCut(this.#log, graceMs)
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#health.close()
    this.#server.forceShutdown()
  }
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }))
      else resolve(port)
    })
  })
}

/** Tells whether `work` is done within `durationMs`. */
async function within(work: Promise<void>, durationMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, durationMs, false)
  })
  const inTime = await Promise.race([work.then(() => true), late])
  clearTimeout(timer)
  return inTime
}
