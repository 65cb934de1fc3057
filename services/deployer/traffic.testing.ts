import { Client, credentials } from '@grpc/grpc-js'

/** For tests: calls the shop at a steady rate, whatever becomes of the calls, and counts how they end. */
export interface Traffic {
  /** Calls by gRPC status. */
  readonly statuses: Readonly<Record<number, number>>
  stop(): Promise<void>
}

const batchMs = 10
const deadlineMs = 2_000
const path = '/shop.v1.Shop/Get'
const bytes = (value: Buffer) => value

export function startTraffic(port: number, callsPerSecond: number): Traffic {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 200,
    'grpc.use_local_subchannel_pool': 1,
  })
  const statuses: Record<number, number> = {}
  const startMs = performance.now()
  let sent = 0
  const call = () => {
    sent++
    const deadline = Date.now() + deadlineMs
    client.makeUnaryRequest(path, bytes, bytes, Buffer.from('apple'), { deadline }, (error) => {
      const status = error?.code ?? 0
      statuses[status] = (statuses[status] ?? 0) + 1
    })
  }
  const timer = setInterval(() => {
    const due = ((performance.now() - startMs) / 1000) * callsPerSecond
    while (sent < due) call()
  }, batchMs)
  return {
    statuses,
    stop: async () => {
      clearInterval(timer)
      client.close()
    },
  }
}
