import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Client, createClient } from '@connectrpc/connect'
import { ExecutionSandboxService } from '../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { eventually } from '../platform/eventually.testing.ts'
import { createGrpcTransport } from '../platform/grpc/channel.ts'
import { freePorts } from '../platform/testing.ts'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))
const readyWithinMs = 60_000

/** For tests: the real execution-sandbox in a process of its own, on the strongest tier of this machine, the host at least. */
export interface RunningSandbox {
  readonly client: Client<typeof ExecutionSandboxService>
  close(): Promise<void>
}

/** `folder` is its own, and below `mountRoot` are the folders that it may be given to read. */
export async function startSandbox({
  folder,
  mountRoot,
}: {
  folder: string
  mountRoot: string
}): Promise<RunningSandbox> {
  const [grpcPort = 0, metricsPort = 0] = await freePorts(2)
  await mkdir(folder, { recursive: true })
  const env = {
    PATH: process.env.PATH ?? '',
    NEXUS_GRPC_PORT: String(grpcPort),
    NEXUS_METRICS_PORT: String(metricsPort),
    NEXUS_LOG_LEVEL: 'error',
    NEXUS_SANDBOX_FOLDER: folder,
    NEXUS_SANDBOX_MOUNT_ROOTS: mountRoot,
    NEXUS_SANDBOX_ALLOW_HOST: 'true',
  }
  const argv = ['--disable-warning=ExperimentalWarning', main, 'execution-sandbox']
  const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = once(child, 'exit')
  const ready = async () => {
    if (child.exitCode !== null) throw new Error(`the sandbox ended with ${child.exitCode}`)
    const answer = await fetch(`http://127.0.0.1:${metricsPort}/readyz`).catch(() => undefined)
    return answer?.status === 200
  }
  await eventually('the sandbox is ready', ready, readyWithinMs)
  const transport = createGrpcTransport({ address: `127.0.0.1:${grpcPort}` })
  const close = async () => {
    transport.close()
    child.kill('SIGTERM')
    await exited
  }
  return { client: createClient(ExecutionSandboxService, transport), close }
}
