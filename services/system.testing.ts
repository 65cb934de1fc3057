import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createClient } from '@connectrpc/connect'
import { root } from './embedded.ts'
import { makeExampleRepository } from './example.ts'
import { CodeModifierService } from './gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { DeployerService } from './gen/nexus/deployer/v1/deployer_service_pb.ts'
import { MetaControllerService } from './gen/nexus/meta_controller/v1/meta_controller_service_pb.ts'
import { eventually } from './platform/eventually.testing.ts'
import { createGrpcTransport, type GrpcTransport } from './platform/grpc/channel.ts'
import { freePorts } from './platform/testing.ts'
import { startTraffic, type Traffic } from './walkthrough/traffic.ts'

/** A data folder, a storefront repository, ports and traffic: all that a whole NEXUS needs, thrown away afterwards. */
export interface System {
  readonly folder: string
  readonly dataFolder: string
  readonly repository: string
  readonly env: Readonly<Record<string, string>>
  readonly grpcPort: number
  readonly restPort: number
  readonly adminPort: number
  readonly metricsPort: number
  startTraffic(): Traffic
  start(): Promise<Nexus>
  close(): Promise<void>
}

/** A running `node services/main.ts all`. */
export interface Nexus {
  readonly process: ChildProcess
  readonly transport: GrpcTransport
  readonly mind: ReturnType<typeof createClient<typeof MetaControllerService>>
  readonly hands: ReturnType<typeof createClient<typeof CodeModifierService>>
  readonly feet: ReturnType<typeof createClient<typeof DeployerService>>
  /** Sends the signal and waits for the process to be gone; gives its exit code, null after a signal. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

const readyWithinMs = 30_000
const ratePerSecond = 60

/** A rollout that is over in seconds, for tests; the storefront's own takes half a minute. */
export const shortRollout = `rollout:
  driver: local
  steps:
    - { weight: 50, min_seconds: 3 }
  max_seconds: 60
`

export interface SystemOptions {
  /** More targets than the storefront, as `name=/path` separated by commas; their ports follow the storefront's. */
  readonly otherTargets?: string
  /** Changes the storefront's copy before it is committed. */
  readonly edit?: (copy: string) => Promise<void>
  readonly rollout?: string
  readonly env?: Readonly<Record<string, string>>
}

export async function createSystem(options: SystemOptions = {}): Promise<System> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nexus-system-'))
  const dataFolder = path.join(folder, 'data')
  const repository = path.join(folder, 'storefront')
  await mkdir(dataFolder)
  await makeExampleRepository(repository, async (copy) => {
    await setRollout(copy, options.rollout ?? shortRollout)
    await options.edit?.(copy)
  })
  const [
    grpcPort = 0,
    restPort = 0,
    adminPort = 0,
    metricsPort = 0,
    localPort = 0,
    localMetricsPort = 0,
    supplierPort = 0,
  ] = await freePorts(7)
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? folder,
    NEXUS_DATA: dataFolder,
    NEXUS_TARGETS: [`storefront=${repository}`, options.otherTargets ?? []].flat().join(','),
    NEXUS_GRPC_PORT: String(grpcPort),
    NEXUS_REST_ADDRESS: `127.0.0.1:${restPort}`,
    NEXUS_ADMIN_ADDRESS: `127.0.0.1:${adminPort}`,
    NEXUS_METRICS_PORT: String(metricsPort),
    NEXUS_LOCAL_PORT: String(localPort),
    NEXUS_LOCAL_METRICS_PORT: String(localMetricsPort),
    NEXUS_TARGET_ENVIRONMENT: `SUPPLIER_URL=http://127.0.0.1:${supplierPort}`,
    NEXUS_SANDBOX_ALLOW_HOST: 'true',
    NEXUS_OBSERVE_SECONDS: '5',
    NEXUS_BENCH_RUNS: '2',
    ...options.env,
  }
  const traffic = () =>
    startTraffic({
      supplierPort,
      address: `127.0.0.1:${localPort}`,
      ratePerSecond,
      onFailure: () => undefined,
    })
  const close = () => rm(folder, { recursive: true, force: true, maxRetries: 10 })
  const ports = { grpcPort, restPort, adminPort, metricsPort }
  return {
    folder,
    dataFolder,
    repository,
    env,
    ...ports,
    startTraffic: traffic,
    start: () => startNexus(folder, env, ports),
    close,
  }
}

async function setRollout(copy: string, rollout: string): Promise<void> {
  const file = path.join(copy, 'nexus.yaml')
  const manifest = await readFile(file, 'utf8')
  await writeFile(file, `${manifest.slice(0, manifest.indexOf('\nrollout:') + 1)}${rollout}`)
}

/** Spawns `all` as a user would. Its output is kept in `<folder>/nexus.log`. */
export function spawnNexus(folder: string, env: Readonly<Record<string, string>>): ChildProcess {
  const argv = ['--disable-warning=ExperimentalWarning', path.join(root, 'services', 'main.ts'), 'all']
  const child = spawn(process.execPath, argv, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const log = createWriteStream(path.join(folder, 'nexus.log'), { flags: 'a' })
  child.stdout?.pipe(log, { end: false })
  child.stderr?.pipe(log, { end: false })
  child.once('close', () => log.end())
  return child
}

async function startNexus(
  folder: string,
  env: Readonly<Record<string, string>>,
  { grpcPort, metricsPort }: { grpcPort: number; metricsPort: number },
): Promise<Nexus> {
  const child = spawnNexus(folder, env)
  const exited = once(child, 'exit')
  await eventually(
    'NEXUS is ready',
    async () => {
      if (child.exitCode !== null)
        throw new Error(`NEXUS ended with ${child.exitCode}:\n${await logOf(folder)}`)
      return isReady(metricsPort)
    },
    readyWithinMs,
  )
  const transport = createGrpcTransport({ address: `127.0.0.1:${grpcPort}` })
  const end = async (signal: NodeJS.Signals) => {
    transport.close()
    child.kill(signal)
    await exited
    return child.exitCode
  }
  return {
    process: child,
    transport,
    mind: createClient(MetaControllerService, transport),
    hands: createClient(CodeModifierService, transport),
    feet: createClient(DeployerService, transport),
    end,
  }
}

async function isReady(metricsPort: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/readyz`).catch(() => undefined)
  return response?.status === 200
}

async function logOf(folder: string): Promise<string> {
  return (await readFile(path.join(folder, 'nexus.log'), 'utf8')).slice(-4000)
}

/** Waits until stable answers its health check. */
export async function untilTargetReady(nexus: Nexus): Promise<void> {
  await eventually(
    'the storefront is ready',
    async () => (await nexus.feet.listTargets({})).targets[0]?.ready,
    60_000,
  )
}

/** Waits until the storefront's customers have made so many calls. */
export async function untilServed(system: System, requests: number): Promise<void> {
  await eventually(
    `the storefront has served ${requests} calls`,
    async () => (await servedBy(system)) >= requests,
    120_000,
  )
}

async function servedBy(system: System): Promise<number> {
  const url = `http://127.0.0.1:${system.env.NEXUS_LOCAL_METRICS_PORT}/metrics`
  const text = await fetch(url).then(
    (response) => response.text(),
    () => '',
  )
  const counts = [...text.matchAll(/^istio_requests_total\{.*grpc_response_status="0".*\} (\d+)$/gm)]
  return counts.reduce((total, match) => total + Number(match[1]), 0)
}

/** Processes, other than this one, that run below a folder or name it in their arguments: `pid command`. Linux only. */
export async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  )) {
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
    if (cwd.startsWith(folder) || command.includes(folder)) found.push(`${pid} ${command}`)
  }
  return found
}
