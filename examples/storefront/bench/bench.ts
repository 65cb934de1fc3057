import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { startSupplier, usualSupplier } from '../load/supplier.ts'
import { type PlannedCall, planCalls, type Rpc, usualTraffic } from '../load/traffic.ts'
import { seededRandom } from '../src/random.ts'
import { openShop, type Shop } from '../test/shop.ts'
import { makeSocketFolder } from '../test/socket-folder.ts'
import { fetchFromSocket } from './socket-fetch.ts'

// The benchmark: the service in this process, one call after the other, always the same calls. It writes the latency of each in ms, by RPC, to the file
// that NEXUS_BENCH_OUT names, and prints the same. What it measures is the steady state: every product that it asks for was asked for once before.
//
// The team chose what is typical: front-page products and small baskets. Weekly orders are left out, and the supplier has no stalls.

const seed = 11
const callsByRpc: Readonly<Record<Rpc, number>> = {
  GetProduct: 150,
  GetQuote: 150,
  Recommend: 80,
  CheckStock: 150,
}
const maxPlanned = 10_000
const maxFailedShare = 0.02
const traffic = { ...usualTraffic, frontPageProducts: 16, largeBasketShare: 0 }

const folder = await makeSocketFolder()
const socketPath = path.join(folder, 'supplier.sock')
const supplier = await startSupplier({ path: socketPath }, { ...usualSupplier, stallOneIn: 0 })
const shop = await openShop(fetchFromSocket(socketPath))
try {
  const calls = plan()
  await measure(shop, warmUp(calls))
  const { samples, failed } = await measure(shop, calls)
  if (failed > maxFailedShare * calls.length) throw new Error(`${failed} of ${calls.length} calls failed`)
  const report = `${JSON.stringify({ samples, unit: 'ms' })}\n`
  if (process.env.NEXUS_BENCH_OUT) await writeFile(process.env.NEXUS_BENCH_OUT, report)
  process.stdout.write(report)
} finally {
  await shop.close()
  await supplier.close()
  await rm(folder, { recursive: true })
}

/** The traffic's calls in their order, until each RPC has its number. */
function plan(): PlannedCall[] {
  const next = planCalls(traffic, seededRandom(seed))
  const left = { ...callsByRpc }
  return Array.from({ length: maxPlanned }, next).filter(({ rpc }) => left[rpc]-- > 0)
}

/** Each different call once. */
function warmUp(calls: readonly PlannedCall[]): PlannedCall[] {
  const different = new Map(calls.map((call) => [JSON.stringify(call), call]))
  return [...different.values()]
}

async function measure(shop: Shop, calls: readonly PlannedCall[]) {
  const samples: Record<Rpc, number[]> = { GetProduct: [], GetQuote: [], Recommend: [], CheckStock: [] }
  let failed = 0
  for (const { rpc, request } of calls) {
    const startedAt = performance.now()
    await shop.call(rpc, request).catch((error: Error) => {
      failed++
      process.stderr.write(`${rpc}: ${error.message}\n`)
    })
    samples[rpc].push(Number((performance.now() - startedAt).toFixed(3)))
  }
  return { samples, failed }
}
