import { log } from './log.ts'
import { startServer } from './server.ts'

const drainMs = 3_000

/**
 * PORT: where to listen (15700). HOST: on which interface (127.0.0.1; in a container 0.0.0.0).
 * SUPPLIER_URL: the supplier's stock service.
 */
const { PORT = '15700', HOST = '127.0.0.1', SUPPLIER_URL = 'http://127.0.0.1:15800' } = process.env

const server = await startServer({ address: `${HOST}:${PORT}`, supplierUrl: SUPPLIER_URL })
log('listening', { host: HOST, port: server.port, supplier_url: SUPPLIER_URL })

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal))

async function stop(signal: string): Promise<void> {
  log('stopping', { signal })
  await server.close(drainMs)
  log('stopped')
  // A question that the supplier has not answered would keep the process, though nobody waits for it any more.
  process.exit()
}
