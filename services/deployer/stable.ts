import { z } from 'zod'
import type { Journal } from '../platform/journal/journal.ts'

/** Which commit of a target is stable, and the deployment that made it so; empty when the branch did. */
export interface StableRecord {
  readonly commit: string
  readonly deploymentId: string
}

const recordShape = z.object({ commit: z.string(), deploymentId: z.string() })

/** The last record of the stream `target/<name>`; undefined for a target that never ran. Errors: the journal's. */
export async function readStable(journal: Journal, target: string): Promise<StableRecord | undefined> {
  const last = (await journal.read(streamOf(target))).findLast((event) => event.type === 'stable')
  return last && recordShape.parse(last.data)
}

/** Journals a new stable commit; one that is stable already is not written again. Errors: the journal's. */
export async function writeStable(journal: Journal, target: string, record: StableRecord): Promise<void> {
  const events = await journal.read(streamOf(target))
  const last = events.at(-1)
  if (last?.type === 'stable') {
    const written = recordShape.parse(last.data)
    if (written.commit === record.commit && written.deploymentId === record.deploymentId) return
  }
  await journal.append(streamOf(target), last?.sequence ?? 0, [{ type: 'stable', data: record }])
}

function streamOf(target: string): string {
  return `target/${target}`
}
