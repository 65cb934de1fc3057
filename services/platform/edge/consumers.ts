import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../clock.ts'

/** Who may call the REST API. */
export interface Consumer {
  readonly id: string
  readonly username: string
  /** Seconds since the epoch, as Kong has it. */
  readonly createdAt: number
}

/** A key of a consumer, without the key. */
export interface Credential {
  readonly id: string
  readonly consumerId: string
  readonly createdAt: number
}

/** The username or the key is taken. */
export class TakenError extends Error {
  override readonly name = 'TakenError'
}

/** The store cannot be used; the message names the file and the remedy. */
export class ConsumersError extends Error {
  override readonly name = 'ConsumersError'
}

export const maxConsumers = 10_000
export const maxKeysPerConsumer = 100
const secretBytes = 32
const generatedKeyBytes = 30
const sqliteConstraint = 19

const schema = `
  CREATE TABLE IF NOT EXISTS consumers (
    id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS credentials (
    id TEXT PRIMARY KEY, consumer_id TEXT NOT NULL REFERENCES consumers (id) ON DELETE CASCADE,
    hash BLOB NOT NULL UNIQUE, created_at INTEGER NOT NULL
  ) STRICT;
`

/**
 * Opens `<folder>/consumers.sqlite`. Keys are kept as HMAC-SHA256 under a secret of this installation, which lies in a file of
 * its own (`<folder>/keys/consumers.secret`): the database alone does not let anyone guess even a weak key.
 * Errors: ConsumersError.
 */
export function openConsumers(folder: string, clock: Clock): Consumers {
  const file = path.join(folder, 'consumers.sqlite')
  try {
    mkdirSync(path.join(folder, 'keys'), { recursive: true, mode: 0o700 })
    const secret = readSecret(path.join(folder, 'keys', 'consumers.secret'), existsSync(file))
    const database = new DatabaseSync(file, { timeout: 1000, enableForeignKeyConstraints: true })
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${schema}`)
    return new Consumers(database, secret, clock)
  } catch (error) {
    throw new ConsumersError(`the consumers in ${file} cannot be opened: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function readSecret(file: string, hasConsumers: boolean): Buffer {
  if (!existsSync(file)) {
    if (hasConsumers) {
      throw new Error(
        `${file} is missing, and without it no key is known: bring it back, or remove the consumers and make new ones`,
      )
    }
    writeFileSync(file, randomBytes(secretBytes), { mode: 0o600, flag: 'wx', flush: true })
  }
  const secret = readFileSync(file)
  if (secret.length !== secretBytes) throw new Error(`${file} must have ${secretBytes} bytes`)
  return secret
}

/** The consumers and their keys. A key is shown once, when it is made. */
export class Consumers {
  readonly #database: DatabaseSync
  readonly #secret: Buffer
  readonly #clock: Clock
  readonly #byHash

  constructor(database: DatabaseSync, secret: Buffer, clock: Clock) {
    this.#database = database
    this.#secret = secret
    this.#clock = clock
    this.#byHash = database.prepare(
      'SELECT c.id, c.username, c.created_at AS createdAt, k.hash FROM credentials k JOIN consumers c ON c.id = k.consumer_id WHERE k.hash = ?',
    )
  }

  /** Whose key this is. The time it takes tells nothing of other keys: only the keyed hash of what was sent is compared. */
  authenticate(key: string): Consumer | undefined {
    const hash = this.#hash(key)
    const row = this.#byHash.get(hash)
    if (row === undefined || !timingSafeEqual(hash, row.hash as Uint8Array)) return undefined
    return { id: String(row.id), username: String(row.username), createdAt: Number(row.createdAt) }
  }

  /** Errors: TakenError; ConsumersError when there are too many. */
  create(username: string): Consumer {
    this.#refuseMoreThan(maxConsumers, 'consumers', this.#count('SELECT count(*) AS count FROM consumers'))
    const consumer = { id: randomUUID(), username, createdAt: this.#nowSeconds() }
    this.#insert('INSERT INTO consumers VALUES (?, ?, ?)', consumer.id, username, consumer.createdAt)
    return consumer
  }

  /** By username, else by id. */
  find(name: string): Consumer | undefined {
    const sql =
      'SELECT id, username, created_at AS createdAt FROM consumers WHERE username = ?1 OR id = ?1 ORDER BY username = ?1 DESC'
    return this.#database.prepare(sql).get(name) as unknown as Consumer | undefined
  }

  list(): Consumer[] {
    const sql = 'SELECT id, username, created_at AS createdAt FROM consumers ORDER BY username'
    return this.#database.prepare(sql).all() as unknown as Consumer[]
  }

  /** Takes the keys with it. */
  delete(consumer: Consumer): void {
    this.#database.prepare('DELETE FROM consumers WHERE id = ?').run(consumer.id)
  }

  /** Adds a key, a random one when none is given. Errors: TakenError; ConsumersError when there are too many. */
  addKey(consumer: Consumer, given?: string): Credential & { readonly key: string } {
    const sql = 'SELECT count(*) AS count FROM credentials WHERE consumer_id = ?'
    this.#refuseMoreThan(maxKeysPerConsumer, 'keys', this.#count(sql, consumer.id))
    const key = given ?? randomBytes(generatedKeyBytes).toString('base64url')
    const credential = { id: randomUUID(), consumerId: consumer.id, createdAt: this.#nowSeconds() }
    this.#insert(
      'INSERT INTO credentials VALUES (?, ?, ?, ?)',
      credential.id,
      consumer.id,
      this.#hash(key),
      credential.createdAt,
    )
    return { ...credential, key }
  }

  listKeys(consumer: Consumer): Credential[] {
    const sql =
      'SELECT id, consumer_id AS consumerId, created_at AS createdAt FROM credentials WHERE consumer_id = ? ORDER BY created_at, id'
    return this.#database.prepare(sql).all(consumer.id) as unknown as Credential[]
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #hash(key: string): Buffer {
    return createHmac('sha256', this.#secret).update(key).digest()
  }

  #insert(sql: string, ...values: (string | number | Uint8Array)[]): void {
    try {
      this.#database.prepare(sql).run(...values)
    } catch (error) {
      const isTaken = ((error as { errcode?: number }).errcode ?? 0) % 256 === sqliteConstraint
      throw isTaken ? new TakenError('it is taken', { cause: error }) : error
    }
  }

  #count(sql: string, ...values: string[]): number {
    return Number(this.#database.prepare(sql).get(...values)?.count)
  }

  #refuseMoreThan(most: number, what: string, count: number): void {
    if (count >= most) throw new ConsumersError(`there are ${most} ${what} already: delete one first`)
  }

  #nowSeconds(): number {
    return Math.floor(this.#clock.nowMs() / 1000)
  }
}
