import { setTimeout } from 'node:timers/promises'
import {
  batchById,
  covers,
  identify,
  type OfferedDocument,
  prepareAll,
  readingIn,
  withReading,
  writtenFrom,
} from './documents.ts'
import type { EntityKey } from './entities.ts'
import { fuse, fusedCandidates } from './fuse.ts'
import { KnowledgeGraph } from './graph.ts'
import { checkMerge } from './merging.ts'
import type { Patience } from './model-gate.ts'
import type { PreparedDocument } from './prepare.ts'
import { type Reading, Readings } from './readings.ts'
import { type Found, retrieve } from './retrieve.ts'
import type { KnowledgeImage } from './snapshot-file.ts'
import {
  type DocumentStore,
  StaleRevisionError,
  type StoreChange,
  type StoredDocument,
  StoreUnavailableError,
} from './store.ts'
import { Turns } from './turns.ts'
import { VectorIndex } from './vectors.ts'

export type PutOutcome = 'added' | 'replaced' | 'unchanged'

/** What became of an offered document. */
export interface PutResult {
  readonly id: string
  readonly outcome: PutOutcome
  readonly passages: number
  /** A model has looked for the names in it. */
  readonly namesExtracted: boolean
  /** A model has embedded its passages. */
  readonly embedded: boolean
}

/** How much is known, and at which revision of the store. */
export type Statistics = KnowledgeGraph['counts'] & { readonly revision: number }

/** What is opened beside the store. */
export interface OpenOptions {
  readonly image?: KnowledgeImage
  /** What models are to make of documents; absent: nothing. */
  readonly readings?: Readings
}

/** A change, with what it comes to in the graph and for the one who asked for it. */
interface Plan<T> {
  readonly change: StoreChange
  readonly prepared: readonly PreparedDocument[]
  readonly result: () => T
}

/** So many changes may wait for their turn. */
const maxWaiting = 256
/** So often a change is decided anew because others have changed the store meanwhile. */
const maxTries = 20
const closeGraceMs = 500
/** Documents whose vectors find no room in memory are found by words and names alone. */
const maxVectorBytes = 512 * 1024 * 1024
/** So few that the largest documents are gone within the time that a store has for one change. */
const deleteBatch = 50
const noChange: StoreChange = { deleted: [], stored: [], merged: [], split: [] }

/**
 * What is known: the documents in the store and the graph over them in memory. Changes are made one after another, in the
 * store first; questions are answered from memory, after a look whether anybody else has changed the store.
 * Errors of all operations: StoreUnavailableError; of changes also TooManyWaitingError.
 */
export class Knowledge {
  readonly #store: DocumentStore
  readonly #graph: KnowledgeGraph
  /** Of every document in the graph. */
  readonly #hashes: Map<string, string>
  readonly #merged: Map<EntityKey, EntityKey>
  readonly #readings: Readings
  readonly #vectors = new VectorIndex(maxVectorBytes)
  readonly #turns = new Turns(maxWaiting)
  #revision = -1
  /** Documents put into the graph or taken out since it was opened. */
  #changes = 0
  /** A change failed, and nobody knows whether it was made. */
  #inDoubt = true
  #lastLook: Promise<void> = Promise.resolve()
  #nextLook: Promise<void> | undefined

  private constructor(store: DocumentStore, graph: KnowledgeGraph, { image, readings }: OpenOptions) {
    this.#store = store
    this.#readings = readings ?? new Readings({})
    this.#graph = graph
    this.#hashes = new Map(image?.hashes)
    this.#merged = new Map(image?.merged)
  }

  /**
   * Reads the documents of the store into the graph, a few thousand a second; of those in the image only what has changed
   * since. Errors: SnapshotError when the image cannot be read.
   */
  static async open(store: DocumentStore, options: OpenOptions = {}): Promise<Knowledge> {
    const { image } = options
    const graph = image === undefined ? new KnowledgeGraph() : await KnowledgeGraph.load(image.graph)
    const knowledge = new Knowledge(store, graph, options)
    await knowledge.#turns.run(() => knowledge.#catchUp())
    if (knowledge.#readings.embeds) await knowledge.#loadVectors()
    return knowledge
  }

  /**
   * Stores a batch: all of it, in the store and in the graph, or nothing. Before, models read it where they are asked to: for as
   * long as `patience` allows, and outside of the turns, so that others need not wait. Errors: RepeatedIdError too.
   */
  async put(offered: readonly OfferedDocument[], patience: Patience = {}): Promise<PutResult[]> {
    const documents = offered.map(identify)
    const byId = batchById(offered, documents)
    const unread = [...byId.values()].filter((document) => !this.#isRead(document))
    if (unread.length > 0) {
      const readings = await this.#readings.of(unread, await this.#knownReadings(unread), patience)
      for (const document of unread) {
        byId.set(document.id, withReading(document, readings.get(document.id) ?? {}))
      }
    }
    const read = new Map<string, PreparedDocument>()
    return await this.#turns.run(() => this.#make(() => this.#planToPut(documents, byId, read)))
  }

  /** Why models are not asked at the moment; empty while they are, and when none is to be. */
  get modelsStopped(): string {
    const { leftOut } = this.#vectors
    const full = leftOut === 0 ? '' : `the vectors of ${leftOut} documents find no room in memory`
    return [this.#readings.stopped, full].filter((reason) => reason !== '').join('; ')
  }

  /** Forgets documents, some at a time and each of them whole; gives how many of the ids were known. */
  async delete(ids: readonly string[]): Promise<number> {
    const each = [...new Set(ids)]
    let count = 0
    for (let from = 0; from < each.length; from += deleteBatch) {
      const some = each.slice(from, from + deleteBatch)
      count += await this.#turns.run(() =>
        this.#make(async () => {
          const deleted = some.filter((id) => this.#hashes.has(id))
          return { change: { ...noChange, deleted }, prepared: [], result: () => deleted.length }
        }),
      )
    }
    return count
  }

  /** Lets `alias` mean the same as `name`, until it is split off again. Gives false when it does already. Errors: MergeRefusedError. */
  async merge(alias: EntityKey, name: EntityKey): Promise<boolean> {
    return await this.#turns.run(() =>
      this.#make(async () => {
        const isNew = this.#merged.get(alias) !== name
        if (isNew) checkMerge(this.#merged, { alias, name })
        const change = { ...noChange, merged: isNew ? [{ alias, name }] : [] }
        return { change, prepared: [], result: () => isNew }
      }),
    )
  }

  /** Lets an alias stand for itself again, as if it had never been merged. Gives false when it was not. */
  async split(alias: EntityKey): Promise<boolean> {
    return await this.#turns.run(() =>
      this.#make(async () => {
        const split = this.#merged.has(alias) ? [alias] : []
        return { change: { ...noChange, split }, prepared: [], result: () => split.length > 0 }
      }),
    )
  }

  /** Which aliases mean the same as which name. */
  async mergedNames(): Promise<ReadonlyMap<EntityKey, EntityKey>> {
    await this.#look()
    return this.#merged
  }

  /** The passages that answer a question best, and the revision that they are of. */
  async retrieve(
    question: string,
    limit: number,
    signal?: AbortSignal,
  ): Promise<{ found: Found[]; revision: number }> {
    const asked = this.#vectors.bytes === 0 ? undefined : await this.#readings.ofQuestion(question, signal)
    await this.#look()
    if (asked === undefined)
      return { found: retrieve(this.#graph, question, limit), revision: this.#revision }
    const near = await this.#vectors.nearest(asked.model, asked.vector, fusedCandidates)
    const found = retrieve(this.#graph, question, Math.max(limit, fusedCandidates))
    return { found: fuse(this.#graph, found, near, limit), revision: this.#revision }
  }

  async statistics(): Promise<Statistics> {
    await this.#look()
    return this.inMemory
  }

  /** The statistics as of the last look at the store. */
  get inMemory(): Statistics {
    return { ...this.#graph.counts, revision: this.#revision }
  }

  /** Documents put into the graph or taken out since it was opened, but for those of the image. */
  get changes(): number {
    return this.#changes
  }

  /** What is in memory now. Its graph comes in parts, the next of which fails with GraphChangedError after a change. */
  image(): KnowledgeImage {
    return { graph: this.#graph.snapshot(), hashes: new Map(this.#hashes), merged: new Map(this.#merged) }
  }

  /** Gives the changes that were begun a moment to end; idempotent. */
  async close(): Promise<void> {
    const moment = setTimeout(closeGraceMs, undefined, { ref: false })
    await Promise.race([this.#turns.idle(), moment])
    await this.#store.close()
  }

  async #planToPut(
    documents: readonly StoredDocument[],
    byId: ReadonlyMap<string, StoredDocument>,
    read: Map<string, PreparedDocument>,
  ): Promise<Plan<PutResult[]>> {
    const fresh = [...byId.values()].filter((document) => !this.#isKnown(document))
    // Read first: what cannot be read into the graph must not be in the store either.
    for (const each of await prepareAll(fresh.filter(({ id }) => !read.has(id)))) {
      read.set(each.document.id, each)
    }
    const prepared = fresh.map(({ id }) => read.get(id) as PreparedDocument)
    const stored = fresh.map((document, index) => writtenFrom(document, prepared[index] as PreparedDocument))
    const offeredBefore = new Set<string>()
    const freshIds = new Set(fresh.map(({ id }) => id))
    const outcomes = documents.map(({ id }): PutOutcome => {
      const isSecond = offeredBefore.has(id)
      offeredBefore.add(id)
      if (isSecond || !freshIds.has(id)) return 'unchanged'
      return this.#hashes.has(id) ? 'replaced' : 'added'
    })
    const result = () =>
      documents.map(({ id }, index): PutResult => {
        const { names: namesExtracted, vectors: embedded } = readingIn(this.#hashes.get(id) ?? '')
        const outcome = outcomes[index] as PutOutcome
        return { id, outcome, passages: this.#graph.passagesOf(id), namesExtracted, embedded }
      })
    return { change: { ...noChange, stored }, prepared, result }
  }

  /** Whether the same text is known under its id, with all that models have made of it now. */
  #isKnown({ id, hash }: StoredDocument): boolean {
    const known = this.#hashes.get(id)
    return known !== undefined && covers(known, hash)
  }

  /** Whether models have made of a document all that they are to, the vectors by the model that answers now. */
  #isRead({ id, hash }: StoredDocument): boolean {
    const known = this.#hashes.get(id)
    const { names, vectors } = readingIn(known !== undefined && covers(known, hash) ? known : '')
    const isCurrent = !this.#readings.isOutdated(this.#vectors.modelOf(id))
    return this.#readings.isWhole({ names, vectors: vectors && isCurrent })
  }

  /** What models have made before of those documents that are known with the same text. */
  async #knownReadings(documents: readonly StoredDocument[]): Promise<Map<string, Reading>> {
    const ids = documents.filter((document) => this.#isKnown(document)).map(({ id }) => id)
    const readings = new Map<string, Reading>()
    if (ids.length === 0) return readings
    for await (const batch of this.#store.read(ids)) {
      for (const { id, names, vectors } of batch) {
        const isOutdated = this.#readings.isOutdated(this.#vectors.modelOf(id))
        readings.set(id, { names, vectors: isOutdated ? undefined : vectors })
      }
    }
    return readings
  }

  /** Those of the documents that were not read at the opening. */
  async #loadVectors(): Promise<void> {
    for await (const batch of this.#store.vectors()) {
      for (const { id, vectors } of batch) this.#vectors.set(id, vectors)
    }
  }

  /** Decides, makes the change in the store and then in the graph; decides anew when others were faster. */
  async #make<T>(decide: () => Promise<Plan<T>>): Promise<T> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      const { change, prepared, result } = await decide()
      if (isEmpty(change)) {
        // That nothing is to be done is only true of what is stored now.
        if (await this.#isCurrent()) return result()
        await this.#catchUp()
        continue
      }
      try {
        const revision = await this.#store.change(change, this.#revision)
        this.#apply(change, prepared)
        this.#revision = revision
        return result()
      } catch (error) {
        if (error instanceof StoreUnavailableError) this.#inDoubt = true
        if (!(error instanceof StaleRevisionError)) throw error
        await this.#catchUp()
      }
    }
    throw this.#tooBusy()
  }

  #apply({ deleted, stored, merged, split }: StoreChange, prepared: readonly PreparedDocument[]): void {
    const replaced = stored.filter(({ id }) => this.#hashes.has(id)).map(({ id }) => id)
    this.#graph.apply({
      removed: [...deleted, ...replaced],
      added: prepared,
      merged: merged.map(({ alias, name }) => [alias, name]),
      unmerged: split,
    })
    this.#changes += deleted.length + stored.length
    for (const alias of split) this.#merged.delete(alias)
    for (const { alias, name } of merged) this.#merged.set(alias, name)
    for (const id of [...deleted, ...replaced]) this.#vectors.delete(id)
    for (const id of deleted) this.#hashes.delete(id)
    for (const { id, hash, vectors } of stored) {
      this.#hashes.set(id, hash)
      if (vectors !== undefined && this.#readings.embeds) this.#vectors.set(id, vectors)
    }
  }

  async #isCurrent(): Promise<boolean> {
    if (this.#store.exclusive && !this.#inDoubt) return true
    return (await this.#store.revision()) === this.#revision
  }

  /** Makes sure that what is in memory is not older than this call. Calls that come while a look is under way share the next. */
  #look(): Promise<void> {
    if (this.#store.exclusive && !this.#inDoubt) return Promise.resolve()
    this.#nextLook ??= this.#lastLook
      .catch(() => {})
      .then(async () => {
        this.#lastLook = this.#nextLook ?? this.#lastLook
        this.#nextLook = undefined
        if (!(await this.#isCurrent())) await this.#turns.run(() => this.#catchUp())
      })
    return this.#nextLook
  }

  /** Takes over what others have changed in the store. */
  async #catchUp(): Promise<void> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      const revision = await this.#store.revision()
      if (revision === this.#revision) {
        this.#inDoubt = false
        return
      }
      await this.#takeOver()
      // It is looked at once more: they may have gone on while we were reading.
      this.#revision = revision
    }
    throw this.#tooBusy()
  }

  async #takeOver(): Promise<void> {
    const hashes = await this.#store.hashes()
    const gone = [...this.#hashes.keys()].filter((id) => !hashes.has(id))
    this.#apply({ ...noChange, deleted: gone }, [])
    const names = await this.#store.mergedNames()
    const isOther = ([alias, name]: [EntityKey, EntityKey]) => names.get(alias) !== name
    // All that is no longer so is split before anything is merged: no circle can come up in between.
    this.#apply({ ...noChange, split: [...this.#merged].filter(isOther).map(([alias]) => alias) }, [])
    const merged = [...names].filter(([alias]) => !this.#merged.has(alias))
    this.#apply({ ...noChange, merged: merged.map(([alias, name]) => ({ alias, name })) }, [])
    const changed = [...hashes].filter(([id, hash]) => this.#hashes.get(id) !== hash).map(([id]) => id)
    for await (const batch of this.#store.read(changed)) {
      const prepared = await prepareAll(batch)
      const stored = batch.map((document) => ({ ...document, passages: [] }))
      this.#apply({ ...noChange, stored }, prepared)
    }
  }

  #tooBusy(): StoreUnavailableError {
    return new StoreUnavailableError(this.#store.address, 'others change it faster than it can be read')
  }
}

function isEmpty({ deleted, stored, merged, split }: StoreChange): boolean {
  return deleted.length + stored.length + merged.length + split.length === 0
}
