import type { Knowledge, OfferedDocument, PutOutcome, PutResult } from './knowledge.ts'

const maxBatchDocuments = 100
const maxBatchChars = 512 * 1024

/**
 * Stores a stream of documents in batches: as many as have come while the last batch was stored, so that a fast stream is
 * cheap and a slow one is stored at once. The next document is asked for only when there is room, which slows the sender.
 * An id that repeats within the stream replaces what came before. Errors: those of the stream; what was stored stays.
 */
export async function ingest(
  knowledge: Knowledge,
  documents: AsyncIterable<OfferedDocument>,
  onStored: (results: readonly PutResult[]) => void,
): Promise<Record<PutOutcome, number>> {
  const totals: Record<PutOutcome, number> = { added: 0, replaced: 0, unchanged: 0 }
  for await (const batch of batches(documents)) {
    const results = knowledge.put(batch)
    for (const { outcome } of results) totals[outcome] += 1
    onStored(results)
  }
  return totals
}

async function* batches(documents: AsyncIterable<OfferedDocument>): AsyncIterable<OfferedDocument[]> {
  const iterator = documents[Symbol.asyncIterator]()
  let batch: OfferedDocument[] = []
  let chars = 0
  let next = iterator.next()
  try {
    for (;;) {
      const arrived = batch.length === 0 ? await next : await Promise.race([next, soon()])
      const isLast = arrived !== undefined && arrived.done === true
      const repeats = arrived !== undefined && !isLast && batch.some(({ id }) => id === arrived.value.id)
      if (batch.length > 0 && (arrived === undefined || isLast || repeats || isFull(batch, chars))) {
        yield batch
        batch = []
        chars = 0
      }
      if (isLast) return
      if (arrived === undefined) continue
      batch.push(arrived.value)
      chars += arrived.value.text.length
      next = iterator.next()
    }
  } finally {
    next.catch(() => {})
    await iterator.return?.()
  }
}

function isFull(batch: readonly OfferedDocument[], chars: number): boolean {
  return batch.length >= maxBatchDocuments || chars >= maxBatchChars
}

/** Resolves with undefined once the event loop has taken what has arrived. */
function soon(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined))
}
