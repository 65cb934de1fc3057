import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { systemClock } from '../clock.ts'
import { seededRandom } from '../eventually.testing.ts'
import { journalContract } from './journal.contract.ts'
import { JournalCorruptError, JournalUnavailableError } from './journal.ts'
import { openJournal } from './open.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'nexus-journal-'))
after(() => rmSync(folder, { recursive: true, force: true }))

journalContract('sqlite', false, async () => {
  const file = path.join(folder, 'contract', 'journal.sqlite')
  const behind = (sql: string, stream: string, sequence: number) => {
    const database = new DatabaseSync(file)
    database.exec('DROP TRIGGER IF EXISTS events_are_never_changed')
    database.exec('DROP TRIGGER IF EXISTS events_are_never_removed')
    database.prepare(sql).run(stream, sequence)
    database.close()
  }
  return {
    open: (clock) => openJournal(`sqlite:${file}`, { clock }),
    change: async (stream, sequence) =>
      behind('UPDATE events SET data = 99 WHERE stream = ? AND sequence = ?', stream, sequence),
    remove: async (stream, sequence) =>
      behind('DELETE FROM events WHERE stream = ? AND sequence = ?', stream, sequence),
    close: async () => {},
  }
})

test('the database itself refuses to change or remove an event', async () => {
  const file = path.join(folder, 'append-only.sqlite')
  const journal = await openJournal(`sqlite:${file}`, { clock: systemClock })
  await journal.append('s', 0, [{ type: 'noted', data: 1 }])
  const database = new DatabaseSync(file)
  assert.throws(() => database.exec("UPDATE events SET data = '2'"), /append-only/)
  assert.throws(() => database.exec('DELETE FROM events'), /append-only/)
  database.close()
  await journal.close()
})

test('bytes changed in the file are found or harmless, never read as other events', async () => {
  const file = path.join(folder, 'flipped.sqlite')
  const journal = await openJournal(`sqlite:${file}`, { clock: systemClock })
  for (let sequence = 0; sequence < 40; sequence += 1) {
    await journal.append('s', sequence, [{ type: 'noted', data: { text: 'x'.repeat(sequence * 20) } }])
  }
  const good = await journal.read('s')
  await journal.close()
  const random = seededRandom(20_261_122)
  const image = readFileSync(file)
  let found = 0
  for (let round = 0; round < 300; round += 1) {
    const flipped = Buffer.from(image)
    const at = Math.floor(random() * flipped.length)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(random() * 8))
    const copy = path.join(folder, `flipped-${round}.sqlite`)
    writeFileSync(copy, flipped)
    try {
      const opened = await openJournal(`sqlite:${copy}`, { clock: systemClock })
      try {
        assert.deepEqual(await opened.read('s'), good, `byte ${at}`)
      } finally {
        await opened.close()
      }
    } catch (error) {
      if (!(error instanceof JournalCorruptError) && !(error instanceof JournalUnavailableError)) throw error
      found += 1
    }
  }
  assert.ok(found > 100, `${found} of 300 changes were found; the others hit what is not in use`)
})

test('a file that is no journal is refused at open, and left as it is', async () => {
  const file = path.join(folder, 'letter.txt')
  writeFileSync(file, 'Dear reader, this is not a database at all. '.repeat(50))
  const before = path.join(folder, 'before.txt')
  copyFileSync(file, before)
  await assert.rejects(openJournal(`sqlite:${file}`, { clock: systemClock }), (error) => {
    assert.ok(error instanceof JournalUnavailableError)
    assert.match(error.message, /letter\.txt cannot be opened: file is not a database/)
    return true
  })
  assert.deepEqual(readFileSync(file), readFileSync(before))
})

test('a journal in a folder that cannot be made is refused with the file named', async () => {
  const file = path.join(folder, 'letter.txt', 'below', 'journal.sqlite')
  await assert.rejects(
    openJournal(`sqlite:${file}`, { clock: systemClock }),
    /below\/journal\.sqlite cannot be opened/,
  )
})

test('a database that another process holds for longer than the bound is unavailable, and works when it is free', async () => {
  const file = path.join(folder, 'held.sqlite')
  const journal = await openJournal(`sqlite:${file}`, { clock: systemClock })
  const holder = new DatabaseSync(file)
  holder.exec('BEGIN IMMEDIATE')
  const began = performance.now()
  await assert.rejects(journal.append('s', 0, [{ type: 'noted', data: 1 }]), JournalUnavailableError)
  assert.ok(performance.now() - began < 4_000)
  holder.exec('ROLLBACK')
  holder.close()
  assert.equal((await journal.append('s', 0, [{ type: 'noted', data: 1 }])).length, 1)
  await journal.close()
})

test('another kind of URL is refused', async () => {
  for (const url of ['memory:', 'sqlite:', 'journal.sqlite', 'redis:6379']) {
    await assert.rejects(openJournal(url, { clock: systemClock }), /the URL of a journal begins with/)
  }
})
