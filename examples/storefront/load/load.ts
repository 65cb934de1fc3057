import { parseArgs } from 'node:util'
import { type Client, credentials, type ServiceError, status } from '@grpc/grpc-js'
import { StorefrontClient } from '../src/contract.ts'
import { seededRandom } from '../src/random.ts'
import { Latencies } from './latencies.ts'
import { type PlannedCall, planCalls, type Rpc, usualTraffic } from './traffic.ts'

// An open-loop load generator: calls leave at random moments (Poisson) at the rate that was asked for, however slowly answers come,
// as customers do. It prints a line of JSON every few seconds and one at its end.

const channels = 4
const deadlineMs = 5_000
const maxInFlight = 512
const reportEveryMs = 5_000

type Method = (
  request: object,
  options: { deadline: number },
  done: (error: ServiceError | null) => void,
) => unknown

export interface LoadOptions {
  /** host:port or unix:path. */
  readonly address: string
  readonly ratePerSecond: number
  readonly seed: number
  /** Ends the load; without it, it goes on until `signal`. */
  readonly seconds?: number
  readonly signal: AbortSignal
  readonly report: (line: object) => void
}

/** Sends the usual traffic until its time is over or the signal comes, then waits for the calls in flight and reports the whole. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const load = new Load(options)
  await load.run()
}

class Load {
  readonly #options: LoadOptions
  readonly #clients: readonly Client[]
  readonly #random: () => number
  readonly #nextCall: () => PlannedCall
  readonly #all = new Latencies()
  #recent = new Latencies()
  #recentSince = performance.now()
  #sent = 0
  #inFlight = 0
  #dropped = 0

  constructor(options: LoadOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
    this.#nextCall = planCalls(usualTraffic, this.#random)
    this.#clients = Array.from(
      { length: channels },
      () =>
        new StorefrontClient(options.address, credentials.createInsecure(), {
          'grpc.use_local_subchannel_pool': 1,
          'grpc.initial_reconnect_backoff_ms': 100,
          'grpc.max_reconnect_backoff_ms': 1_000,
        }),
    )
  }

  async run(): Promise<void> {
    const startedAt = performance.now()
    const reporting = setInterval(() => this.#reportRecent(), reportEveryMs)
    await this.#sendAll(startedAt)
    clearInterval(reporting)
    await this.#untilIdle()
    for (const client of this.#clients) client.close()
    this.#options.report({
      final: true,
      seconds: Number(((performance.now() - startedAt) / 1000).toFixed(1)),
      dropped: this.#dropped,
      ...this.#all.summary(),
    })
  }

  /** Each call has its moment, drawn in advance; a late timer sends all that are due, so that the rate holds. */
  #sendAll(startedAt: number): Promise<void> {
    const { ratePerSecond, seconds = Number.POSITIVE_INFINITY, signal } = this.#options
    const endAt = startedAt + seconds * 1000
    return new Promise((resolve) => {
      let dueAt = startedAt
      let timer: NodeJS.Timeout | undefined
      const stop = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', stop)
        resolve()
      }
      const tick = () => {
        for (; dueAt <= performance.now(); dueAt += (-Math.log(1 - this.#random()) * 1000) / ratePerSecond) {
          this.#send()
        }
        if (dueAt >= endAt) stop()
        else timer = setTimeout(tick, Math.max(0, dueAt - performance.now()))
      }
      if (signal.aborted) return stop()
      signal.addEventListener('abort', stop)
      tick()
    })
  }

  #send(): void {
    const { rpc, request } = this.#nextCall()
    if (this.#inFlight >= maxInFlight) {
      this.#dropped++
      return
    }
    const client = this.#clients[this.#sent++ % channels] as Client & Record<Rpc, Method>
    const sentAt = performance.now()
    this.#inFlight++
    client[rpc](request, { deadline: Date.now() + deadlineMs }, (error) => {
      this.#inFlight--
      const code = error ? status[error.code] : undefined
      const ms = performance.now() - sentAt
      this.#all.add(rpc, ms, code)
      this.#recent.add(rpc, ms, code)
    })
  }

  #reportRecent(): void {
    const now = performance.now()
    const seconds = (now - this.#recentSince) / 1000
    const summary = this.#recent.summary()
    this.#recent = new Latencies()
    this.#recentSince = now
    this.#options.report({
      time: new Date().toISOString(),
      rate: Number((summary.calls / seconds).toFixed(1)),
      in_flight: this.#inFlight,
      dropped: this.#dropped,
      ...summary,
    })
  }

  /** Every call has a deadline, so this ends. */
  async #untilIdle(): Promise<void> {
    while (this.#inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      address: { type: 'string', default: '127.0.0.1:15700' },
      rate: { type: 'string', default: '80' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string' },
    },
  })
  const stopping = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())
  await runLoad({
    address: values.address,
    ratePerSecond: positive('--rate', values.rate),
    seed: positive('--seed', values.seed),
    seconds: values.seconds === undefined ? undefined : positive('--seconds', values.seconds),
    signal: stopping.signal,
    report: (line) => process.stdout.write(`${JSON.stringify(line)}\n`),
  })
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`${name} must be a number above 0, not ${text}`)
  return value
}

if (import.meta.main) await main()
