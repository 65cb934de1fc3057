import { rm } from 'node:fs/promises'
import path from 'node:path'
import { type Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { onHandOf } from '../load/supplier.ts'
import { HealthClient, StorefrontClient } from '../src/contract.ts'
import { startServer } from '../src/server.ts'
import { makeSocketFolder } from './socket-folder.ts'

/** The service on a UNIX socket with clients to it: tests and the benchmark run where there is no network. */
export interface Shop {
  /** For clients, such as `unix:/tmp/storefront-x/grpc.sock`. */
  readonly address: string
  call<Reply>(rpc: string, request: object): Promise<Reply>
  checkHealth(service: string): Promise<{ status: string }>
  close(): Promise<void>
}

/** Opens a shop that asks a supplier by `fetchStock`, which takes the place of the global `fetch` until the shop is closed. */
export async function openShop(fetchStock: typeof fetch): Promise<Shop> {
  const folder = await makeSocketFolder()
  const address = `unix:${path.join(folder, 'grpc.sock')}`
  const realFetch = globalThis.fetch
  globalThis.fetch = fetchStock
  const server = await startServer({ address, supplierUrl: 'http://supplier.test' })
  const storefront = new StorefrontClient(address, credentials.createInsecure())
  const health = new HealthClient(address, credentials.createInsecure())
  return {
    address,
    call: (rpc, request) => callUnary(storefront, rpc, request),
    checkHealth: (service) => callUnary(health, 'Check', { service }),
    async close() {
      storefront.close()
      health.close()
      await server.close(1_000)
      globalThis.fetch = realFetch
      await rm(folder, { recursive: true })
    },
  }
}

/** A supplier without a wire: has `onHandOf(sku)` of everything, at once. */
export const promptSupplier: typeof fetch = async (input) => {
  const skus = new URL(String(input)).searchParams.get('skus')!.split(',')
  return Response.json({ levels: Object.fromEntries(skus.map((sku) => [sku, onHandOf(sku)])) })
}

type Method = (request: object, done: (error: ServiceError | null, reply: unknown) => void) => unknown

function callUnary<Reply>(client: Client, rpc: string, request: object): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const method = (client as unknown as Record<string, Method>)[rpc]!
    method.call(client, request, (error, reply) => (error ? reject(error) : resolve(reply as Reply)))
  })
}
