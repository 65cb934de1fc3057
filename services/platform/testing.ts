import { createServer } from 'node:net'
import type { Tracer } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { createGrpcTransport, type GrpcTransport } from './grpc/channel.ts'
import type { GrpcLimits } from './grpc/limits.ts'
import { createGrpcServer, type GrpcServer } from './grpc/server.ts'
import { createLog, type Log } from './log.ts'
import type { MountedService } from './service.ts'

/** A log that says nothing. */
export const silentLog: Log = createLog({ level: 'silent' })

/** A log that keeps its lines, parsed, for tests that look at what was logged. */
export function keepingLog(): { log: Log; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = []
  const log = createLog({
    level: 'debug',
    destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
  })
  return { log, lines }
}

/** A running server for a test, and a transport to it over a real socket. */
export interface TestServer {
  readonly transport: GrpcTransport
  readonly server: GrpcServer
  readonly registry: Registry
  readonly port: number
  /** Ends both; idempotent. */
  close(): Promise<void>
}

/** Serves `mounted` on loopback, on a free port unless one is given. */
export async function startTestServer(
  mounted: readonly MountedService[],
  options: { log?: Log; limits?: Partial<GrpcLimits>; port?: number; tracer?: Tracer } = {},
): Promise<TestServer> {
  const registry = new Registry()
  const { log = silentLog, limits, tracer } = options
  const server = createGrpcServer({ mounted, log, registry, limits, tracer })
  const port = await server.listen(`127.0.0.1:${options.port ?? 0}`)
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}`, tracer })
  const close = async () => {
    transport.close()
    await server.close()
  }
  return { transport, server, registry, port, close }
}

/**
 * `count` ports of loopback that were free a moment ago, all different. Whatever can listen on port 0 should: this is
 * for processes that have to be told their port.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(servers.map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))))
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return ports
}

/** Everything that a stream gives, in order. */
export async function listOf<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}
