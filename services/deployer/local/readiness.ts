import { connect } from 'node:net'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { Health, HealthCheckResponse_ServingStatus } from '../../gen/grpc/health/v1/health_pb.ts'
import type { Clock } from '../../platform/clock.ts'
import { createGrpcTransport } from '../../platform/grpc/channel.ts'
import type { ManifestService } from '../../platform/target/manifest.ts'

const pollMs = 50
const connectTimeoutMs = 1_000

/** What a look at a version's port found: undefined when it is ready, else in words what it did instead. */
export async function lookAt(
  port: number,
  health: ManifestService['health'],
  timeoutMs: number,
): Promise<string | undefined> {
  if (!(await takesConnection(port))) return `nothing listens on the port that it was told (${port})`
  return health === 'tcp' ? undefined : checkHealth(port, timeoutMs)
}

/** Looks until the version is ready. Gives undefined then, or what it did instead when `timeoutMs` has passed. Errors: the signal's reason. */
export async function untilReady(options: {
  port: number
  health: ManifestService['health']
  timeoutMs: number
  clock: Clock
  signal: AbortSignal
}): Promise<string | undefined> {
  const { port, health, clock, signal } = options
  const endMs = clock.monotonicMs() + options.timeoutMs
  for (;;) {
    const problem = await lookAt(port, health, connectTimeoutMs)
    signal.throwIfAborted()
    if (problem === undefined || clock.monotonicMs() >= endMs) return problem
    await clock.sleep(pollMs, signal)
  }
}

function takesConnection(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const settle = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.setTimeout(connectTimeoutMs, () => settle(false))
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

async function checkHealth(port: number, timeoutMs: number): Promise<string | undefined> {
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}` })
  try {
    const { status } = await createClient(Health, transport).check({ service: '' }, { timeoutMs })
    if (status === HealthCheckResponse_ServingStatus.SERVING) return undefined
    return `its health check answers ${status}, not SERVING (${HealthCheckResponse_ServingStatus.SERVING})`
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error)
    if (code === Code.Unimplemented) {
      return 'it does not implement grpc.health.v1: implement it, or write `health: tcp` in nexus.yaml'
    }
    return `its health check fails (${Code[code]}: ${rawMessage})`
  } finally {
    transport.close()
  }
}
