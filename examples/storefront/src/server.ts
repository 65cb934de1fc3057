import { promisify } from 'node:util'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { HealthClient, StorefrontClient } from './contract.ts'
import { createHandlers } from './handlers.ts'
import { createHealthHandlers } from './health.ts'

export interface RunningServer {
  /** The port, or 1 for a UNIX socket. */
  readonly port: number
  /** Says NOT_SERVING, lets calls in flight end for at most `drainMs`, then cuts what is left. */
  close(drainMs: number): Promise<void>
}

/** Serves the storefront at an address that grpc-js can bind, such as `127.0.0.1:15700` or `unix:/tmp/x/storefront.sock`. */
export async function startServer(options: { address: string; supplierUrl: string }): Promise<RunningServer> {
  let serving = true
  const server = new Server()
  server.addService(StorefrontClient.service, createHandlers(options))
  server.addService(
    HealthClient.service,
    createHealthHandlers(() => serving),
  )
  const bind = promisify(server.bindAsync.bind(server))
  const port = await bind(options.address, ServerCredentials.createInsecure())
  return {
    port,
    close(drainMs) {
      serving = false
      return drain(server, drainMs)
    },
  }
}

function drain(server: Server, drainMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.forceShutdown()
      resolve()
    }, drainMs)
    server.tryShutdown(() => {
      clearTimeout(cut)
      resolve()
    })
  })
}
