import { setImmediate, setTimeout } from 'node:timers/promises'
import { idOf, type OfferedDocument } from './documents.ts'
import type { Knowledge, PutOutcome, PutResult } from './knowledge.ts'
import type { Patience } from './model-gate.ts'

const maxBatchDocuments = 256
const maxBatchChars = 1024 * 1024
/** A batch waits this long for its next document: making it durable takes longer. */
const lingerMs = 2

/** What has become of a stream so far: the documents counted here are the first of the stream, and are stored. */
export type Progress = Readonly<Record<PutOutcome | 'passages' | 'namesExtracted' | 'embedded', number>>

/**
 * Stores a stream of documents in batches: those that come without a pause, so that a fast stream is cheap and a slow one
 * is stored at once. Gives the totals after each batch. The next document is asked for only when
 * there is room, which slows the sender. An id that repeats within the stream replaces what came before.
 * Errors: those of the stream and of `Knowledge.put`; what was stored stays.
 */
export async function* ingest(
  knowledge: Knowledge,
  documents: AsyncIterable<OfferedDocument>,
  options: { onStored: (results: readonly PutResult[]) => void; patience: () => Patience },
): AsyncGenerator<Progress> {
  const totals = { added: 0, replaced: 0, unchanged: 0, passages: 0, namesExtracted: 0, embedded: 0 }
  for await (const batch of batches(documents)) {
    const results = await knowledge.put(batch, options.patience())
    for (const { outcome, passages, namesExtracted, embedded } of results) {
      totals[outcome] += 1
      totals.passages += passages
      totals.namesExtracted += Number(namesExtracted)
      totals.embedded += Number(embedded)
    }
    options.onStored(results)
    yield { ...totals }
  }
}

async function* batches(documents: AsyncIterable<OfferedDocument>): AsyncGenerator<OfferedDocument[]> {
  const iterator = documents[Symbol.asyncIterator]()
  let batch = new Map<string, OfferedDocument>()
  let chars = 0
  let next = iterator.next()
  try {
    for (;;) {
      const arrived = batch.size === 0 ? await next : await Promise.race([next, soon()])
      const document = arrived?.done === false ? arrived.value : undefined
      const id = document && idOf(document)
      const isFull = batch.size >= maxBatchDocuments || chars >= maxBatchChars
      if (batch.size > 0 && (id === undefined || batch.has(id) || isFull)) {
        yield [...batch.values()]
        batch = new Map()
        chars = 0
      }
      if (arrived?.done === true) return
      if (document === undefined || id === undefined) continue
      batch.set(id, document)
      chars += document.text.length
      next = iterator.next()
    }
  } finally {
    next.catch(() => {})
    await iterator.return?.()
  }
}

/** Resolves with undefined when nothing has come for a moment; what lies ready at its end is still taken before. */
async function soon(): Promise<undefined> {
  await setTimeout(lingerMs)
  await setImmediate()
}
