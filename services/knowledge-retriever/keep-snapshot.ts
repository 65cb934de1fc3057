import type { Clock } from '../platform/clock.ts'
import type { KnowledgeEvents } from './events.ts'
import { Knowledge } from './knowledge.ts'
import type { Readings } from './readings.ts'
import { GraphChangedError, SnapshotError } from './snapshot.ts'
import type { KnowledgeImage, SnapshotFile } from './snapshot-file.ts'
import type { DocumentStore } from './store.ts'

/** Fewer changes are sooner read again than written. */
const minChanges = 200
/** Of the documents, the share that has to change before a snapshot is worth its time. */
const minShare = 0.1
const lookEveryMs = 5_000
/** A change while it is being written, which takes seconds, makes it useless: it waits until nobody has changed anything for so long. */
const quietMs = 30_000
/** A close does not wait for a larger one. */
const maxPassagesAtClose = 5_000

/** What keeps a snapshot. */
export interface SnapshotKeeper {
  /** Writes it now if enough has changed. */
  save(): Promise<void>
  /** Writes it a last time where that is quick; else what is being written ends at its next part. Idempotent. */
  close(): Promise<void>
}

/** Opens what is known, from the snapshot where there is one that can be used. Errors: those of the store. */
export async function openFromSnapshot(
  store: DocumentStore,
  file: SnapshotFile | undefined,
  events: KnowledgeEvents,
  readings?: Readings,
): Promise<Knowledge> {
  try {
    return await Knowledge.open(store, { image: await file?.read(), readings })
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error
    events.snapshotNotUsed(error.message)
    return await Knowledge.open(store, { readings })
  }
}

/** Writes the snapshot anew when much has changed and things are quiet. */
export function keepSnapshot(
  knowledge: Knowledge,
  file: SnapshotFile,
  options: { clock: Clock; events: KnowledgeEvents },
): SnapshotKeeper {
  const { clock, events } = options
  let written = 0
  let seen = knowledge.changes
  let changedMs = clock.monotonicMs()
  let saving: Promise<void> | undefined
  let isCutShort = false

  const isWorthIt = () => {
    const changes = knowledge.changes - written
    return changes >= Math.max(minChanges, knowledge.inMemory.documents * minShare)
  }
  const write = async () => {
    const startedMs = clock.monotonicMs()
    const changes = knowledge.changes
    try {
      const image = knowledge.image()
      const bytes = await file.write({ ...image, graph: unlessCutShort(image.graph) })
      written = changes
      events.snapshotWritten(bytes, clock.monotonicMs() - startedMs)
    } catch (error) {
      // It is tried again when things are quiet, or after the next start.
      const isExpected = error instanceof GraphChangedError || isCutShort
      if (!isExpected) events.snapshotFailed(error)
    }
  }
  async function* unlessCutShort(parts: KnowledgeImage['graph']): AsyncGenerator<Uint8Array> {
    for await (const part of parts) {
      if (isCutShort) throw new Error('it is being closed')
      yield part
    }
  }
  const save = async () => {
    if (!isWorthIt()) return
    saving ??= write().finally(() => {
      saving = undefined
    })
    await saving
  }
  const timer = setInterval(() => {
    if (knowledge.changes !== seen) {
      seen = knowledge.changes
      changedMs = clock.monotonicMs()
    }
    if (clock.monotonicMs() - changedMs >= quietMs) void save()
  }, lookEveryMs)
  timer.unref()
  return {
    save,
    close: async () => {
      clearInterval(timer)
      isCutShort = knowledge.inMemory.passages > maxPassagesAtClose
      await (isCutShort ? saving : save())
    },
  }
}
