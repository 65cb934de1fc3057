import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { seededRandom } from '../platform/eventually.testing.ts'
import { identify, withReading, writtenFrom } from './documents.ts'
import { prepareDocument } from './prepare.ts'
import {
  type DocumentStore,
  StaleRevisionError,
  type StoreChange,
  type StoredDocument,
  StoreUnavailableError,
  type WrittenDocument,
} from './store.ts'

/** A place for stores under test. */
export interface StorePlace {
  /** Opens the store there; what it held before is there again. */
  open(): Promise<DocumentStore>
  /** Makes it as if there had never been a store. */
  empty(): Promise<void>
  close(): Promise<void>
}

const seed = 20_261_122
const noChange: StoreChange = { deleted: [], stored: [], merged: [], split: [] }

/** What every store of documents keeps, wherever it is. */
export function storeContract(name: string, skip: string | false, start: () => Promise<StorePlace>): void {
  describe(`document store contract: ${name}`, { skip }, () => {
    let place: StorePlace
    let store: DocumentStore
    before(async () => {
      place = await start()
    })
    beforeEach(async () => {
      await store?.close()
      await place.empty()
      store = await place.open()
    })
    after(async () => {
      await store?.close()
      await place?.close()
    })
    const reopen = async () => {
      await store.close()
      store = await place.open()
      return store
    }
    storing(() => store, reopen)
    refusing(() => store, reopen)
    merging(() => store, reopen)
  })
}

function written(id: string, text: string, title = '', source = ''): WrittenDocument {
  const document = { id, title, text, source }
  return writtenFrom(identify(document), prepareDocument(document))
}

async function store(to: DocumentStore, ...documents: WrittenDocument[]): Promise<number> {
  return to.change({ ...noChange, stored: documents }, await to.revision())
}

/** All that is stored, by id; the hashes are compared with those that are listed. */
async function everything(from: DocumentStore): Promise<Map<string, StoredDocument>> {
  const hashes = await from.hashes()
  const documents = new Map<string, StoredDocument>()
  for await (const batch of from.read([...hashes.keys()])) {
    for (const document of batch) documents.set(document.id, { ...document })
  }
  assert.deepEqual(new Map([...documents].map(([id, { hash }]) => [id, hash])), hashes)
  return documents
}

function stripped({ passages: _passages, ...document }: WrittenDocument): StoredDocument {
  return document
}

async function holds(from: DocumentStore, expected: readonly WrittenDocument[]): Promise<void> {
  assert.deepEqual(await everything(from), new Map(expected.map((each) => [each.id, stripped(each)])))
}

const oddTexts = [
  'nul \u0000 inside',
  'emoji 😀 and a family 👨‍👩‍👧',
  'עברית and \u202eright to left',
  ' \t\r\n',
  'quotes \' " ` \\ {id: 1}) DETACH DELETE n //',
  'e\u0301 is not \u00e9',
  '\ufffd\uffff',
]

function storing(store_: () => DocumentStore, reopen: () => Promise<DocumentStore>): void {
  test('a new one is empty', async () => {
    assert.equal((await store_().hashes()).size, 0)
    assert.equal((await store_().mergedNames()).size, 0)
  })

  test('documents are read back to the letter, also when it is opened again', async () => {
    const documents = oddTexts.flatMap((text, index) => [
      written(`d${index}`, text, `Title ${text}`, 'some/where'),
      written(`id ${text}`, `Text ${index} of Ada Lovelace.`),
    ])
    documents.push(written('__proto__', 'constructor', 'toString'))
    documents.push(written('long', 'Word '.repeat(200_000)), written('one name', `X${'x'.repeat(100_000)}`))
    const revision = await store(store_(), ...documents)
    await holds(store_(), documents)
    const again = await reopen()
    await holds(again, documents)
    assert.equal(await again.revision(), revision)
  })

  test('a document under a known id replaces it, and a deleted one is gone with all that was its own', async () => {
    const kept = written('kept', 'Ada Lovelace met Charles Babbage.')
    await store(store_(), kept, written('a', 'Ada Lovelace in Paris. '.repeat(200)), written('b', 'Tin.'))
    const replaced = written('a', 'Only this.')
    await store(store_(), replaced)
    await holds(store_(), [kept, replaced, written('b', 'Tin.')])
    const revision = await store_().revision()
    await store_().change({ ...noChange, deleted: ['b', 'nobody'], stored: [written('a', 'New.')] }, revision)
    await holds(store_(), [kept, written('a', 'New.')])
    await store_().change({ ...noChange, deleted: ['kept', 'a'] }, await store_().revision())
    await holds(await reopen(), [])
  })

  test('the names that a model has found are kept with the document, none found too, and go with it', async () => {
    const told = (id: string, names: string[]) => {
      const document = withReading(identify({ id, title: '', text: 'Tin from cornwall.', source: '' }), {
        names,
      })
      return writtenFrom(document, prepareDocument(document))
    }
    const documents = [told('a', ['tin', 'cornwall']), told('b', []), written('c', 'Tin from cornwall.')]
    await store(store_(), ...documents)
    assert.equal(new Set(documents.map(({ hash }) => hash)).size, 3)
    assert.deepEqual(documents[0]?.passages[0]?.names, ['tin', 'cornwall'])
    await holds(await reopen(), documents)
    const without = written('a', 'Tin from cornwall.')
    await store(store_(), without)
    await holds(await reopen(), [without, ...documents.slice(1)])
  })

  test('vectors are kept to the byte, listed for all documents that have some, and go with the document', async () => {
    const vectorsOf = async () => {
      const listed: [string, number[]][] = []
      for await (const batch of store_().vectors()) {
        for (const { id, vectors } of batch) listed.push([id, [...vectors]])
      }
      return new Map(listed)
    }
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const embedded = (id: string, vectors: Uint8Array) => {
      const document = withReading(identify({ id, title: '', text: 'Tin.', source: '' }), { vectors })
      return writtenFrom(document, prepareDocument(document))
    }
    const many = Array.from({ length: 450 }, (_, index) => embedded(`d${index}`, Uint8Array.of(index % 256)))
    const documents = [embedded('all', every), written('none', 'Tin.'), ...many]
    await store(store_(), ...documents)
    await holds(await reopen(), documents)
    const listed = await vectorsOf()
    assert.deepEqual([listed.size, listed.get('all'), listed.get('d300')], [451, [...every], [300 % 256]])
    await store_().change({ ...noChange, deleted: many.map(({ id }) => id) }, await store_().revision())
    await store(store_(), written('all', 'Tin.'))
    assert.equal((await vectorsOf()).size, 0)
  })

  test('reading leaves out what is not there', async () => {
    await store(store_(), written('a', 'Tin.'))
    const found: string[] = []
    for await (const batch of store_().read(['nobody', 'a'])) found.push(...batch.map(({ id }) => id))
    assert.deepEqual(found, ['a'])
  })

  test(`any sequence of changes leaves what it should (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    const model = new Map<string, WrittenDocument>()
    const some = () => `d${Math.floor(random() * 30)}`
    for (let step = 0; step < 25; step += 1) {
      const stored = new Map<string, WrittenDocument>()
      for (let count = random() * 8; count > 0; count -= 1) {
        const id = some()
        stored.set(id, written(id, `Text ${random()} of ${some()} Lovelace.`))
      }
      const deleted = [some(), some(), some()].filter((id) => model.has(id) && !stored.has(id))
      await store_().change({ ...noChange, deleted, stored: [...stored.values()] }, await store_().revision())
      for (const id of deleted) model.delete(id)
      for (const [id, document] of stored) model.set(id, document)
    }
    await holds(await reopen(), [...model.values()])
  })

  test('more documents than are read or listed at a time come back all', async () => {
    const documents = Array.from({ length: 1_000 }, (_, index) => written(`d${index}`, `Number ${index}.`))
    await store(store_(), ...documents)
    await holds(store_(), documents)
  })
}

function refusing(store_: () => DocumentStore, reopen: () => Promise<DocumentStore>): void {
  test('a change by one who has not seen the last change is refused and changes nothing', async () => {
    const revision = await store_().revision()
    assert.equal(await store(store_(), written('a', 'Tin.')), revision + 1)
    const late = store_().change({ ...noChange, deleted: ['a'], stored: [written('b', 'Zinc.')] }, revision)
    await assert.rejects(late, StaleRevisionError)
    assert.equal(await store_().revision(), revision + 1)
    await holds(store_(), [written('a', 'Tin.')])
  })

  test('of changes at the same revision at the same time exactly one is made', async () => {
    const revision = await store_().revision()
    const changes = Array.from({ length: 8 }, (_, index) =>
      store_().change({ ...noChange, stored: [written(`d${index}`, 'Tin.')] }, revision),
    )
    const made = (await Promise.allSettled(changes)).flatMap(({ status }, index) =>
      status === 'fulfilled' ? [`d${index}`] : [],
    )
    assert.equal(made.length, 1)
    assert.deepEqual([...(await store_().hashes()).keys()], made)
  })

  test('a change that cannot be made whole is not made at all', async () => {
    await store(store_(), written('a', 'Tin.'))
    const twice = [written('b', 'Zinc.'), { ...written('c', 'Iron.'), source: {} as never }]
    await assert.rejects(store(store_(), ...twice))
    await holds(await reopen(), [written('a', 'Tin.')])
  })

  test('once closed it is unavailable, however often it is closed', async () => {
    await store_().close()
    await store_().close()
    await assert.rejects(store_().revision(), StoreUnavailableError)
    await assert.rejects(store_().hashes(), StoreUnavailableError)
    await assert.rejects(store_().change(noChange, 1), StoreUnavailableError)
    await reopen()
  })
}

function merging(store_: () => DocumentStore, reopen: () => Promise<DocumentStore>): void {
  test('merged names are kept, merged anew and split', async () => {
    const change = async (merged: StoreChange['merged'], split: string[] = []) =>
      store_().change({ ...noChange, merged, split }, await store_().revision())
    await change([
      { alias: 'nj', name: 'new jersey' },
      { alias: 'ny', name: 'new york' },
    ])
    await change([{ alias: 'ny', name: 'new york city' }], ['nobody'])
    assert.deepEqual(
      await (await reopen()).mergedNames(),
      new Map([
        ['nj', 'new jersey'],
        ['ny', 'new york city'],
      ]),
    )
    await change([], ['nj'])
    assert.deepEqual([...(await store_().mergedNames()).keys()], ['ny'])
  })
}
