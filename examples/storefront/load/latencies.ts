import type { Rpc } from './traffic.ts'

/** How the calls of a stretch of time went. Latencies in ms. */
export interface Summary {
  readonly calls: number
  readonly errors: Readonly<Record<string, number>>
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly by_rpc: Readonly<Partial<Record<Rpc, { calls: number; p50: number; p95: number; p99: number }>>>
}

/** The newest of a stretch are kept, up to this many per RPC, so that a long run stays small. */
const maxKept = 50_000

/** Collects latencies and error codes. Failed calls count as calls and keep their latency. */
export class Latencies {
  readonly #msByRpc = new Map<Rpc, number[]>()
  readonly #errors = new Map<string, number>()
  #calls = 0

  add(rpc: Rpc, ms: number, errorCode?: string): void {
    const kept = this.#msByRpc.get(rpc) ?? []
    this.#msByRpc.set(rpc, kept)
    if (kept.length === maxKept) kept.shift()
    kept.push(ms)
    this.#calls++
    if (errorCode !== undefined) this.#errors.set(errorCode, (this.#errors.get(errorCode) ?? 0) + 1)
  }

  summary(): Summary {
    const byRpc = [...this.#msByRpc].map(([rpc, ms]) => [rpc, { calls: ms.length, ...percentiles(ms) }])
    return {
      calls: this.#calls,
      errors: Object.fromEntries(this.#errors),
      ...percentiles([...this.#msByRpc.values()].flat()),
      by_rpc: Object.fromEntries(byRpc),
    }
  }
}

function percentiles(ms: readonly number[]): { p50: number; p95: number; p99: number } {
  const sorted = ms.toSorted((a, b) => a - b)
  const at = (share: number) =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2))
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}
