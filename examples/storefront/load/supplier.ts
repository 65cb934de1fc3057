import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { seededRandom } from '../src/random.ts'

/**
 * A simulator of the supplier's stock service, for load, benchmarks and tests. It does no real work: it waits as the real one does, and says so here.
 *
 * The real one is a remote system that looks up a few products per round trip to its warehouse, one round trip after the other.
 * So an answer takes pages x pageMs, give or take a tenth, where pages = products / linesPerPage, rounded up.
 * And one request in `stallOneIn`, whatever its size, hits a warehouse terminal that hangs: it takes stallMs more.
 */
export interface SupplierModel {
  readonly pageMs: number
  readonly linesPerPage: number
  /** 0: never. */
  readonly stallOneIn: number
  /** A stall lasts from the first to the second. */
  readonly stallMs: readonly [number, number]
  readonly seed: number
}

export const usualSupplier: SupplierModel = {
  pageMs: 2.5,
  linesPerPage: 3,
  stallOneIn: 12,
  stallMs: [1_200, 2_800],
  seed: 7,
}

const maxProducts = 300
const maxOnHand = 400

export interface RunningSupplier {
  readonly url: string
  /** Ends at once; requests in flight are cut. */
  close(): Promise<void>
}

/** Starts a supplier on a port of 127.0.0.1 (0: any) or on a UNIX socket. */
export async function startSupplier(
  listen: { port: number } | { path: string },
  model: SupplierModel,
): Promise<RunningSupplier> {
  const waitMs = createWait(model)
  const server = createServer((request, response) => answer(request, response, waitMs))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen('path' in listen ? listen : { ...listen, host: '127.0.0.1' }, resolve)
  })
  const port = 'path' in listen ? 80 : (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** How many of a product the supplier has. It never changes, so that a test can know it. */
export function onHandOf(sku: string): number {
  let hash = 0
  for (const character of sku) hash = (hash * 31 + character.charCodeAt(0)) % 1_000_003
  return hash % (maxOnHand + 1)
}

function createWait(model: SupplierModel): (products: number) => number {
  const random = seededRandom(model.seed)
  return (products) => {
    const [spread, luck, length] = [random(), random(), random()]
    const pages = Math.ceil(products / model.linesPerPage)
    const stalls = model.stallOneIn > 0 && luck < 1 / model.stallOneIn
    const stallMs = stalls ? model.stallMs[0] + length * (model.stallMs[1] - model.stallMs[0]) : 0
    return pages * model.pageMs * (0.9 + 0.2 * spread) + stallMs
  }
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  waitMs: (products: number) => number,
): void {
  const url = new URL(request.url ?? '/', 'http://supplier')
  const skus = (url.searchParams.get('skus') ?? '').split(',').filter((sku) => sku !== '')
  if (url.pathname !== '/v1/stock' || skus.length < 1 || skus.length > maxProducts) {
    response.writeHead(400).end()
    return
  }
  const timer = setTimeout(() => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ levels: Object.fromEntries(skus.map((sku) => [sku, onHandOf(sku)])) }))
  }, waitMs(skus.length))
  response.once('close', () => clearTimeout(timer))
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '15800' },
      seed: { type: 'string', default: String(usualSupplier.seed) },
      'stall-one-in': { type: 'string', default: String(usualSupplier.stallOneIn) },
    },
  })
  const model = { ...usualSupplier, seed: Number(values.seed), stallOneIn: Number(values['stall-one-in']) }
  const supplier = await startSupplier({ port: Number(values.port) }, model)
  process.stdout.write(`${JSON.stringify({ event: 'listening', url: supplier.url, ...model })}\n`)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void supplier.close())
}

if (import.meta.main) await main()
