import { type OpenedEdge, openEdge } from './edge.ts'
import { type Environment, embeddedEnvironment, exampleRepository } from './embedded.ts'
import { makeExampleRepository } from './example.ts'
import { lockDataFolder } from './platform/data-folder.ts'
import type { Log } from './platform/log.ts'
import { type Life, runUntilSignal } from './platform/process.ts'
import type { ServiceName } from './platform/service.ts'
import { type ChassisSettings, openProcess, type Served, serve, serviceNames } from './serve.ts'

/** Where everything of one process can be reached. */
export interface Addresses extends OpenedEdge {
  readonly grpcPort: number
  readonly metricsPort: number
}

export interface StartedAll extends Addresses {
  readonly served: Served
}

/** `node services/main.ts <service>`: one service, its peers elsewhere. */
export async function alone(name: ServiceName, env: Environment): Promise<void> {
  const { settings, log } = openProcess(env)
  await runUntilSignal({ log }, async (life) => {
    const { grpcPort, metricsPort } = await serve([name], { env, settings, log, life })
    log.info('ready', { service: name, grpc_port: grpcPort, metrics_port: metricsPort })
  })
}

/** `node services/main.ts all`: everything in one process, until a signal ends it. */
export async function all(own: Environment): Promise<void> {
  const env = embeddedEnvironment(own)
  const { settings, log } = openProcess(env)
  await runUntilSignal({ log }, async (life) => {
    const started = await startAll({ env, settings, log, life })
    process.stdout.write(`${describe(started, env)}\n`)
  })
}

/**
 * Starts every service, the REST edge and its admin port in this process, on a data folder that is locked for it.
 * Errors: DataFolderError, SettingsError, PortError.
 */
export async function startAll(options: {
  readonly env: Environment
  readonly settings: ChassisSettings
  readonly log: Log
  readonly life: Life
}): Promise<StartedAll> {
  const { env, life, log } = options
  const dataFolder = env.NEXUS_DATA ?? ''
  const lock = lockDataFolder(dataFolder)
  life.closers.add('data folder', () => lock.close())
  const example = exampleRepository(dataFolder)
  if (env.NEXUS_TARGETS === `storefront=${example}`) await makeExampleRepository(example)
  const served = await serve(serviceNames, options)
  const edge = await openEdge({ served, env, log, life })
  const { grpcPort, metricsPort } = served
  log.info('ready', { grpc_port: grpcPort, metrics_port: metricsPort, ...edge })
  return { served, grpcPort, metricsPort, ...edge }
}

/** What a person needs to go on from here. */
export function describe(at: Addresses, env: Environment): string {
  return [
    'NEXUS is ready.',
    `  gRPC     127.0.0.1:${at.grpcPort}    grpcurl -plaintext 127.0.0.1:${at.grpcPort} list`,
    `  REST     127.0.0.1:${at.restPort}    every call with the header apikey`,
    `  admin    127.0.0.1:${at.adminPort}    consumers and their keys, from this machine only`,
    `  metrics  127.0.0.1:${at.metricsPort}/metrics`,
    `  targets  ${env.NEXUS_TARGETS} (clients connect to 127.0.0.1:${env.NEXUS_LOCAL_PORT})`,
    `  data     ${env.NEXUS_DATA}`,
  ].join('\n')
}
