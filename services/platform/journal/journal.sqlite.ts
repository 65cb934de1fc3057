import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import type { JsonValue } from '../canonical-json.ts'
import type { Clock } from '../clock.ts'
import { emptyHead, faultOf, type Head, type SealedEvent, sealEvents } from './chain.ts'
import {
  checkAppend,
  checkFromSequence,
  checkPrefix,
  checkStream,
  type Journal,
  JournalConflictError,
  JournalCorruptError,
  type JournalEvent,
  JournalForgottenError,
  JournalUnavailableError,
  type NewEvent,
} from './journal.ts'

const busyTimeoutMs = 2_000
const schemaVersion = 1
const sqliteCorrupt = 11
const sqliteNotADatabase = 26

// `heads` makes listing cheap and shows when the last events of a stream were taken away.
const schema = `
  CREATE TABLE IF NOT EXISTS events (
    stream TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (stream, sequence)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS heads (stream TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER IF NOT EXISTS events_are_never_changed BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS events_are_never_removed BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  PRAGMA user_version = ${schemaVersion};
`

/** Opens (and creates) the journal in one SQLite file. Errors: JournalUnavailableError naming the file. */
export function openSqliteJournal(file: string, options: { clock: Clock }): Journal {
  try {
    mkdirSync(path.dirname(path.resolve(file)), { recursive: true })
    return new SqliteJournal(file, options.clock)
  } catch (error) {
    throw new JournalUnavailableError(`the journal ${file} cannot be opened: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

class SqliteJournal implements Journal {
  readonly #file: string
  readonly #clock: Clock
  readonly #database: DatabaseSync
  readonly #statements: ReturnType<typeof prepare>

  constructor(file: string, clock: Clock) {
    this.#file = file
    this.#clock = clock
    this.#database = new DatabaseSync(file, { timeout: busyTimeoutMs })
    try {
      // FULL: the WAL is synced before an append is acknowledged, so a power cut forgets nothing either.
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      this.#migrate()
      this.#statements = prepare(this.#database)
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  #migrate(): void {
    const found = Number(this.#database.prepare('PRAGMA user_version').get()?.user_version)
    if (found > schemaVersion) throw new Error(`it was written by a newer NEXUS (schema ${found})`)
    if (found < schemaVersion) this.#database.exec(`BEGIN IMMEDIATE; ${schema} COMMIT`)
  }

  async append(stream: string, expectedSequence: number, events: readonly NewEvent[]) {
    checkAppend(stream, expectedSequence, events)
    return this.#run(stream, expectedSequence + 1, () =>
      this.#inTransaction(() => {
        const head = this.#head(stream)
        if (head.sequence > expectedSequence) {
          throw new JournalConflictError(stream, expectedSequence, head.sequence)
        }
        if (head.sequence < expectedSequence) {
          throw new JournalForgottenError(
            stream,
            `the writer has seen event ${expectedSequence}, the last one here is ${head.sequence}`,
          )
        }
        const sealed = sealEvents(stream, head, events, this.#clock.nowMs())
        this.#store(stream, sealed)
        return sealed.map(({ event }) => event)
      }),
    )
  }

  #store(stream: string, sealed: readonly SealedEvent[]): void {
    for (const { event, dataText } of sealed) {
      const { sequence, atMs, type, previousHash, hash } = event
      this.#statements.insert.run(stream, sequence, atMs, type, dataText, previousHash, hash)
    }
    this.#statements.moveHead.run(stream, sealed.at(-1)?.event.sequence ?? 0)
  }

  async read(stream: string, fromSequence = 1) {
    checkStream(stream)
    checkFromSequence(fromSequence)
    return this.#run(stream, fromSequence, () => {
      // One statement sees one snapshot, so a concurrent append cannot make the head disagree.
      const rows = this.#statements.read.all(stream, Math.max(1, fromSequence - 1))
      const events = verifyRows(stream, rows, fromSequence)
      this.#checkTail(stream, fromSequence, rows)
      return events
    })
  }

  async streams(prefix: string) {
    checkPrefix(prefix)
    return this.#run(`${prefix}*`, 0, () =>
      this.#statements.list.all(prefix, `${prefix}\u007f`).map((row) => String(row.stream)),
    )
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close()
  }

  #head(stream: string): Head {
    const stored = Number(this.#statements.head.get(stream)?.sequence ?? 0)
    const rows = this.#statements.last.all(stream)
    const last = rows[0] && eventOf(stream, rows[0])
    if ((last?.sequence ?? 0) !== stored) {
      throw new JournalCorruptError(
        stream,
        (last?.sequence ?? 0) + 1,
        `event ${stored} was the last and is gone`,
      )
    }
    if (!last) return emptyHead
    const before = { sequence: last.sequence - 1, atMs: 0, hash: last.previousHash }
    const fault = faultOf(stream, before, last)
    if (fault) throw new JournalCorruptError(stream, last.sequence, fault)
    return last
  }

  #checkTail(stream: string, fromSequence: number, rows: readonly Record<string, SQLOutputValue>[]): void {
    const head = Number(rows[0]?.head ?? this.#statements.head.get(stream)?.sequence ?? 0)
    const last = Number(rows.at(-1)?.sequence ?? 0)
    if (last < head && head >= fromSequence) {
      throw new JournalCorruptError(stream, last + 1, `event ${head} was the last and is gone`)
    }
  }

  #inTransaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** Gives SQLite's errors the journal's names; the journal's own pass. */
  #run<T>(stream: string, sequence: number, work: () => T): T {
    if (!this.#database.isOpen) throw new JournalUnavailableError(`the journal ${this.#file} is closed`)
    try {
      return work()
    } catch (error) {
      const code = (error as { errcode?: number }).errcode
      if (code === undefined) throw error
      const { message } = error as Error
      if ([sqliteCorrupt, sqliteNotADatabase].includes(code & 0xff)) {
        throw new JournalCorruptError(stream, sequence, message, { cause: error })
      }
      throw new JournalUnavailableError(`the journal ${this.#file} does not work: ${message}`, {
        cause: error,
      })
    }
  }
}

function prepare(database: DatabaseSync) {
  const statement = (sql: string): StatementSync => database.prepare(sql)
  return {
    insert: statement('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)'),
    moveHead: statement(
      'INSERT INTO heads VALUES (?1, ?2) ON CONFLICT (stream) DO UPDATE SET sequence = excluded.sequence',
    ),
    head: statement('SELECT sequence FROM heads WHERE stream = ?'),
    last: statement('SELECT * FROM events WHERE stream = ? ORDER BY sequence DESC LIMIT 1'),
    read: statement(
      'SELECT *, (SELECT sequence FROM heads WHERE heads.stream = events.stream) AS head FROM events WHERE stream = ? AND sequence >= ? ORDER BY sequence',
    ),
    list: statement('SELECT stream FROM heads WHERE stream >= ? AND stream < ? ORDER BY stream'),
  }
}

/** The events from `fromSequence` on; the one before it may be there too, to check the first link. */
function verifyRows(
  stream: string,
  rows: readonly Record<string, SQLOutputValue>[],
  fromSequence: number,
): JournalEvent[] {
  const events: JournalEvent[] = []
  let head: Head | undefined = fromSequence <= 2 ? emptyHead : undefined
  for (const row of rows) {
    const event = eventOf(stream, row)
    head ??= { sequence: fromSequence - 2, atMs: 0, hash: event.previousHash }
    const fault = faultOf(stream, head, event)
    if (fault) throw new JournalCorruptError(stream, head.sequence + 1, fault)
    if (event.sequence >= fromSequence) events.push(event)
    head = event
  }
  return events
}

function eventOf(stream: string, row: Record<string, SQLOutputValue>): JournalEvent {
  const sequence = Number(row.sequence)
  return {
    stream: String(row.stream),
    sequence,
    atMs: Number(row.at_ms),
    type: String(row.type),
    data: parseData(stream, sequence, String(row.data)),
    previousHash: String(row.previous_hash),
    hash: String(row.hash),
  }
}

function parseData(stream: string, sequence: number, text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch (error) {
    throw new JournalCorruptError(stream, sequence, 'its data is not JSON', { cause: error })
  }
}
