import path from 'node:path'
import { root } from '../embedded.ts'
import { runGuarded } from '../platform/target/guarded-command.ts'

const longestMs = 2 ** 31 - 1

export interface Traffic {
  /** Resolves when both programs have ended. */
  stop(): Promise<void>
}

/**
 * Starts the storefront's customers and the supplier that it asks, each a process of its own that dies with this one.
 * `onFailure` is told when one of them ends before it was stopped.
 */
export function startTraffic(options: {
  readonly supplierPort: number
  readonly address: string
  readonly ratePerSecond: number
  readonly onFailure: (message: string) => void
}): Traffic {
  const stopping = new AbortController()
  const folder = path.join(root, 'examples', 'storefront')
  const run = async (script: string, ...args: string[]) => {
    const argv = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      path.join('load', script),
      ...args,
    ]
    const environment = { PATH: process.env.PATH ?? '' }
    try {
      const { outputTail } = await runGuarded({
        argv,
        folder,
        environment,
        timeoutMs: longestMs,
        signal: stopping.signal,
      })
      options.onFailure(`${script} ended by itself: ${outputTail.trim().slice(-500)}`)
    } catch (error) {
      if (!stopping.signal.aborted) options.onFailure(`${script}: ${(error as Error).message}`)
    }
  }
  const { supplierPort, address, ratePerSecond } = options
  const running = [
    run('supplier.ts', '--port', String(supplierPort)),
    run('load.ts', '--address', address, '--rate', String(ratePerSecond)),
  ]
  const stop = async () => {
    stopping.abort(new Error('the walk-through stops its traffic'))
    await Promise.all(running)
  }
  return { stop }
}
