import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { identify, writtenFrom } from './documents.ts'
import { openSqliteStore } from './graph.sqlite.ts'
import { prepareDocument } from './prepare.ts'
import { storeContract } from './store.contract.ts'
import { DocumentStoreError } from './store.ts'

storeContract('sqlite', false, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-store-'))
  let number = 0
  return {
    open: async () => openSqliteStore(path.join(folder, `${number}.sqlite`)),
    empty: async () => {
      number += 1
    },
    close: async () => rmSync(folder, { recursive: true }),
  }
})

test('a second process, a file that is no database and one of the future stop the start with one clear error', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-store-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'knowledge.sqlite')
  const first = openSqliteStore(file)
  assert.throws(() => openSqliteStore(file), /stop the other process that has it/)
  await first.close()
  assert.throws(() => openSqliteStore(folder), DocumentStoreError)
  const database = new DatabaseSync(file)
  database.exec('UPDATE meta SET schema = 99')
  database.close()
  assert.throws(() => openSqliteStore(file), /schema 99, this NEXUS reads 4/)
})

test('a file of the version before is taken over with what it holds', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-store-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'knowledge.sqlite')
  const database = new DatabaseSync(file)
  database.exec(`
    CREATE TABLE documents (id TEXT PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, hash TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE meta (only INTEGER PRIMARY KEY CHECK (only = 1), schema INTEGER NOT NULL, revision INTEGER NOT NULL) STRICT;
    INSERT INTO documents VALUES ('a', '', 'Tin.', '', 'h');
    INSERT INTO meta VALUES (1, 1, 7);`)
  database.close()
  const store = openSqliteStore(file)
  t.after(() => store.close())
  assert.deepEqual([...(await store.hashes())], [['a', 'h']])
  assert.equal(await store.revision(), 7)
  for await (const [document] of store.read(['a'])) assert.equal(document?.names, undefined)
})

test('the text of a deleted document is not in the file any more', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-store-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'knowledge.sqlite')
  const store = openSqliteStore(file)
  const document = identify({
    id: 'a',
    title: '',
    text: 'The tungsten is under the third stair.',
    source: '',
  })
  const none = { deleted: [], stored: [], merged: [], split: [] }
  await store.change(
    { ...none, stored: [writtenFrom(identify(document), prepareDocument(document))] },
    await store.revision(),
  )
  await store.change({ ...none, deleted: ['a'] }, await store.revision())
  await store.close()
  for (const name of readdirSync(folder)) {
    assert.ok(!readFileSync(path.join(folder, name), 'latin1').includes('tungsten'), name)
  }
})
