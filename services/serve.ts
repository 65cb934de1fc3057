import type { Transport } from '@connectrpc/connect'
import type { Registry } from 'prom-client'
import type { Environment } from './embedded.ts'
import { chassisSettings, grpcLimits } from './platform/chassis-settings.ts'
import { systemClock } from './platform/clock.ts'
import { createGrpcServer } from './platform/grpc/server.ts'
import { createLog, type Log } from './platform/log.ts'
import { createRegistry } from './platform/metrics.ts'
import { createMetricsServer } from './platform/metrics-server.ts'
import type { Life } from './platform/process.ts'
import { openPyroscope } from './platform/profiling.ts'
import type {
  MountedService,
  RunningService,
  ServiceContext,
  ServiceName,
  StartService,
} from './platform/service.ts'
import { readSettings, type SettingsOf } from './platform/settings.ts'
import { openTracing } from './platform/tracing.ts'
import { createTransports } from './transports.ts'

/** Where each service is, loaded only when it runs here; in the order of their calls, callees first. */
export const services: Readonly<Record<ServiceName, () => Promise<{ start: StartService }>>> = {
  governor: () => import('./governor/main.ts'),
  'execution-sandbox': () => import('./execution-sandbox/main.ts'),
  'llm-adapter': () => import('./llm-adapter/main.ts'),
  'knowledge-retriever': () => import('./knowledge-retriever/main.ts'),
  orchestrator: () => import('./orchestrator/main.ts'),
  'code-modifier': () => import('./code-modifier/main.ts'),
  deployer: () => import('./deployer/main.ts'),
  'meta-controller': () => import('./meta-controller/main.ts'),
}

export const serviceNames = Object.keys(services) as readonly ServiceName[]

/** What runs in this process. */
export interface Served {
  readonly grpcPort: number
  readonly metricsPort: number
  readonly mounted: readonly MountedService[]
  /** To the services of this process. */
  readonly transport: Transport
  readonly registry: Registry
}

export type ChassisSettings = SettingsOf<typeof chassisSettings>

/** The settings and the log of a process. Errors: SettingsError. */
export function openProcess(env: Environment): { settings: ChassisSettings; log: Log } {
  const settings = readSettings(chassisSettings, env)
  return { settings, log: createLog({ level: settings.logLevel }) }
}

/**
 * Starts services and serves them on one gRPC port. A peer is found at `NEXUS_<SERVICE>_ADDRESS` (host:port), or, when it runs
 * in this process, on this process's own port: the same call over a real socket either way.
 */
export async function serve(
  names: readonly ServiceName[],
  options: {
    readonly env: Environment
    readonly settings: ChassisSettings
    readonly log: Log
    readonly life: Life
  },
): Promise<Served> {
  const { env, settings, log, life } = options
  const registry = createRegistry()
  const serviceName = names.length === 1 ? `nexus-${names[0]}` : 'nexus'
  const tracing = await openTracing({ serviceName, log, otlpUrl: settings.otlpUrl })
  life.closers.add('tracing', tracing.close)
  const pyroscope = await openPyroscope({ url: settings.pyroscopeUrl, serviceName, log })
  life.closers.add('pyroscope', pyroscope.close)
  const { maxMessageBytes } = settings
  const transports = createTransports(names, { env, maxMessageBytes, tracer: tracing.callTracer })
  life.closers.add('channels', transports.close)
  const running: RunningService[] = []
  for (const name of names) {
    const context: ServiceContext = {
      env,
      log: log.child({ service: name }),
      registry,
      tracer: tracing.tracer,
      clock: systemClock,
      transport: transports.to,
      signal: life.signal,
    }
    const { start } = await services[name]()
    const service = await start(context)
    life.closers.add(name, () => service.close())
    running.push(service)
  }
  const mounted = running.flatMap((service) => service.mounted)
  const server = createGrpcServer({
    mounted,
    log,
    registry,
    tracer: tracing.callTracer,
    limits: grpcLimits(settings),
  })
  const grpcAddress = `${settings.host}:${settings.grpcPort}`
  const grpcPort = await listen('NEXUS_GRPC_PORT', grpcAddress, () => server.listen(grpcAddress))
  transports.setOwnPort(grpcPort)
  let ready = true
  life.signal.addEventListener('abort', () => {
    ready = false
  })
  const metrics = createMetricsServer({ registry, log, ready: () => ready, pprof: settings.pprof })
  life.closers.add('metrics', () => metrics.close())
  const { host, metricsPort: port } = settings
  const metricsPort = await listen('NEXUS_METRICS_PORT', `${host}:${port}`, () =>
    metrics.listen({ host, port }),
  )
  life.closers.add('grpc', () => server.drain(settings.drainMs))
  return { grpcPort, metricsPort, mounted, transport: transports.own, registry }
}

/** A port that cannot be had is the most usual fault of a start; it names the setting that chooses another. */
export async function listen(
  variable: string,
  address: string,
  open: () => Promise<number>,
): Promise<number> {
  try {
    return await open()
  } catch (cause) {
    const reason = isTaken(cause) ? 'is taken' : `cannot be opened: ${(cause as Error).message}`
    throw new PortError(`${address} ${reason}: stop what uses it, or choose another with ${variable}`, {
      cause,
    })
  }
}

function isTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE' || isTaken(error.cause)
}

/** A port cannot be opened; the message names it and its setting. */
export class PortError extends Error {
  override readonly name = 'PortError'
}
