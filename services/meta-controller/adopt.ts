import { ConnectError } from '@connectrpc/connect'
import type { Clock } from '../platform/clock.ts'
import type { Events } from './events.ts'
import { withRetry } from './retry.ts'
import type { Peers } from './stage.ts'

const timeoutMs = 60_000

/**
 * Makes the SLOs of each target known to the governor when the process starts, so that their budgets can be read before the
 * first objective. A target that cannot be read is reported and left: its objectives will be refused with the same words.
 */
export async function adoptTargets(
  targets: readonly string[],
  { peers, clock, signal, events }: { peers: Peers; clock: Clock; signal: AbortSignal; events: Events },
): Promise<void> {
  for (const target of targets) {
    try {
      const options = { signal, timeoutMs }
      const inspect = () => peers.codeModifier.inspectTarget({ target }, options)
      const { sloDocuments: documents } = await withRetry(inspect, { clock, signal })
      await withRetry(() => peers.governor.applySlos({ target, documents }, options), { clock, signal })
      events.targetAdopted(target, documents.length)
    } catch (error) {
      if (signal.aborted) return
      events.targetUnusable(target, ConnectError.from(error).rawMessage)
    }
  }
}
