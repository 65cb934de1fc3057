import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { LRUCache } from 'lru-cache'
import { canonicalJson } from '../canonical-json.ts'
import type { Clock } from '../clock.ts'
import { connectRedis, redisAddress, untilReady } from '../redis.ts'
import { emptyHead, faultOf, type Head, sealEvents } from './chain.ts'
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
import { durabilityWarnings } from './redis-durability.ts'

const operationTimeoutMs = 2_000
const openTimeoutMs = 3_000
const readPageEvents = 256
const listPageStreams = 1_000
const maxRememberedHeads = 10_000

// One hash tag, so that on a Redis cluster all keys share a slot and one script can use them together.
const identityKey = 'nexus:{journal}:identity'
const indexKey = 'nexus:{journal}:streams'
const streamKey = (stream: string) => `nexus:{journal}:stream:${stream}`

// The compare-and-append. XADD takes an explicit id, so the id is the sequence; the script adds that the events of one
// append go in together, and that they go behind the very event that the writer chained them to.
const appendScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'forgotten', 0} end
local sequence, hash = 0, ARGV[4]
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
if #last > 0 then
  sequence = tonumber(string.match(last[1][1], '^%d+'))
  hash = last[1][2][2]
end
if sequence ~= tonumber(ARGV[3]) or hash ~= ARGV[5] then return {'moved', sequence} end
redis.call('ZADD', KEYS[2], 0, ARGV[2])
for i = 6, #ARGV, 2 do
  sequence = sequence + 1
  redis.call('XADD', KEYS[3], sequence .. '-0', 'hash', ARGV[i], 'event', ARGV[i + 1])
end
return {'stored', sequence}
`

type Entry = [id: string, fields: string[]]

/**
 * Opens the journal on a Redis. Errors: JournalUnavailableError when it does not answer within 3 s.
 * `onWarning` is told of settings under which Redis can lose what it acknowledged (no append-only file, eviction, …).
 */
export async function openRedisJournal(
  url: string,
  options: { clock: Clock; onWarning?: (message: string) => void },
): Promise<Journal> {
  const address = redisAddress(url)
  const redis = connectRedis(url, { operationTimeoutMs, onConnectionError: () => {} })
  try {
    await untilReady(redis, openTimeoutMs)
    await redis.set(identityKey, randomUUID(), 'NX')
    const identity = await redis.get(identityKey)
    if (!identity) throw new Error(`it does not keep the key ${identityKey}`)
    for (const warning of await durabilityWarnings(redis)) {
      options.onWarning?.(`the journal at ${address} can lose acknowledged events: ${warning}`)
    }
    return new RedisJournal({ address, redis, identity, clock: options.clock })
  } catch (error) {
    redis.disconnect()
    throw new JournalUnavailableError(
      `the journal at ${address} cannot be opened: ${(error as Error).message}`,
      {
        cause: error,
      },
    )
  }
}

/**
 * Refuses rather than forgets. What tells that Redis came back with less than it had acknowledged:
 * the identity that it was given when it was first used (gone: all is gone), and the heads that this process has seen.
 */
class RedisJournal implements Journal {
  readonly #address: string
  readonly #redis: Redis
  readonly #identity: string
  readonly #clock: Clock
  readonly #seen = new LRUCache<string, Head>({ max: maxRememberedHeads })

  constructor(parts: { address: string; redis: Redis; identity: string; clock: Clock }) {
    this.#address = parts.address
    this.#redis = parts.redis
    this.#identity = parts.identity
    this.#clock = parts.clock
  }

  async append(stream: string, expectedSequence: number, events: readonly NewEvent[]) {
    checkAppend(stream, expectedSequence, events)
    const head = await this.#headFor(stream, expectedSequence)
    const seen = this.#seen.get(stream)
    const sealed = sealEvents(stream, head, events, this.#clock.nowMs()).map(({ event }) => event)
    const reply = await this.#send((redis) => redis.call('EVAL', ...this.#appendCall(stream, head, sealed)))
    const [outcome, sequence] = reply as ['stored' | 'moved' | 'forgotten', number]
    if (outcome === 'forgotten') throw this.#forgotten(stream)
    if (outcome === 'moved') throw movedError(stream, { seen, expectedSequence, actualSequence: sequence })
    this.#remember(stream, sealed.at(-1))
    return sealed
  }

  async read(stream: string, fromSequence = 1) {
    checkStream(stream)
    checkFromSequence(fromSequence)
    const seen = this.#seen.get(stream)
    const events = await this.#readFrom(stream, Math.max(1, fromSequence - 1))
    const last = events.at(-1)
    if (seen && seen.sequence >= fromSequence && (last?.sequence ?? 0) < seen.sequence) {
      throw new JournalForgottenError(stream, `event ${seen.sequence} was stored and is gone`)
    }
    this.#checkSeen(stream, seen, events)
    this.#remember(stream, last)
    return events.filter((event) => event.sequence >= fromSequence)
  }

  async streams(prefix: string) {
    checkPrefix(prefix)
    const names: string[] = []
    for (;;) {
      const after: string = names.length === 0 ? `[${prefix}` : `(${names.at(-1)}`
      const page = await this.#send((redis) =>
        redis.zrangebylex(indexKey, after, `(${prefix}\u007f`, 'LIMIT', 0, listPageStreams),
      )
      names.push(...page)
      if (page.length < listPageStreams) return names
    }
  }

  async close(): Promise<void> {
    this.#redis.disconnect()
  }

  /** The event that an append goes behind; from memory when this process saw it last, which saves a round trip. */
  async #headFor(stream: string, expectedSequence: number): Promise<Head> {
    const seen = this.#seen.get(stream)
    if (seen?.sequence === expectedSequence) return seen
    const reply = await this.#send((redis) =>
      redis.multi().get(identityKey).xrevrange(streamKey(stream), '+', '-', 'COUNT', 1).exec(),
    )
    const [identity, entries] = results(reply) as [string | null, Entry[]]
    if (identity !== this.#identity) throw this.#forgotten(stream)
    const last = entries[0] && eventOf(stream, entries[0])
    const actual = last?.sequence ?? 0
    if (actual !== expectedSequence || actual < (seen?.sequence ?? 0)) {
      throw movedError(stream, { seen, expectedSequence, actualSequence: actual })
    }
    if (!last) return emptyHead
    const fault = faultOf(stream, { sequence: last.sequence - 1, atMs: 0, hash: last.previousHash }, last)
    if (fault) throw new JournalCorruptError(stream, last.sequence, fault)
    return last
  }

  #appendCall(stream: string, head: Head, sealed: readonly JournalEvent[]): [string, ...string[]] {
    return [
      appendScript,
      '3',
      identityKey,
      indexKey,
      streamKey(stream),
      this.#identity,
      stream,
      String(head.sequence),
      emptyHead.hash,
      head.hash,
      ...sealed.flatMap((event) => [event.hash, canonicalJson(event)]),
    ]
  }

  async #readFrom(stream: string, start: number): Promise<JournalEvent[]> {
    const events: JournalEvent[] = []
    let head: Head | undefined = start === 1 ? emptyHead : undefined
    for (let next = start; ; ) {
      const page = await this.#page(stream, next)
      for (const entry of page) {
        const event = eventOf(stream, entry)
        head ??= { sequence: start - 1, atMs: 0, hash: event.previousHash }
        const fault = faultOf(stream, head, event)
        if (fault) throw new JournalCorruptError(stream, head.sequence + 1, fault)
        events.push(event)
        head = event
      }
      next += page.length
      if (page.length < readPageEvents) return events
    }
  }

  async #page(stream: string, start: number): Promise<Entry[]> {
    const reply = await this.#send((redis) =>
      redis
        .multi()
        .get(identityKey)
        .xrange(streamKey(stream), `${start}-0`, '+', 'COUNT', readPageEvents)
        .exec(),
    )
    const [identity, entries] = results(reply) as [string | null, Entry[]]
    if (identity !== this.#identity) throw this.#forgotten(stream)
    return entries
  }

  /** The same sequence with another hash: the store lost the event, and someone has written another since. */
  #checkSeen(stream: string, seen: Head | undefined, events: readonly JournalEvent[]): void {
    const first = events[0]
    if (!seen || !first || seen.sequence < first.sequence) return
    if (events[seen.sequence - first.sequence]?.hash !== seen.hash) {
      throw new JournalForgottenError(
        stream,
        `event ${seen.sequence} was stored and another stands in its place`,
      )
    }
  }

  #forgotten(stream: string): JournalForgottenError {
    return new JournalForgottenError(
      stream,
      `${this.#address} no longer holds the journal that was opened there`,
    )
  }

  #remember(stream: string, last: JournalEvent | undefined): void {
    if (!last || last.sequence <= (this.#seen.get(stream)?.sequence ?? 0)) return
    this.#seen.set(stream, { sequence: last.sequence, atMs: last.atMs, hash: last.hash })
  }

  async #send<T>(command: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      return await command(this.#redis)
    } catch (error) {
      throw new JournalUnavailableError(
        `the journal at ${this.#address} does not work: ${(error as Error).message}`,
        {
          cause: error,
        },
      )
    }
  }
}

/**
 * Why the store is not at the event that the writer expected. `seen` is what this process had seen when it sent the
 * request: what it has seen since may be newer than the reply.
 */
function movedError(
  stream: string,
  at: { seen: Head | undefined; expectedSequence: number; actualSequence: number },
): Error {
  const seen = Math.max(at.expectedSequence, at.seen?.sequence ?? 0)
  if (at.actualSequence < seen) {
    return new JournalForgottenError(
      stream,
      `event ${seen} was seen, the last one here is ${at.actualSequence}`,
    )
  }
  // The same sequence behind another head: what was seen there has been replaced.
  if (at.actualSequence === at.expectedSequence) {
    return new JournalForgottenError(stream, `event ${seen} was seen and another stands in its place`)
  }
  return new JournalConflictError(stream, at.expectedSequence, at.actualSequence)
}

/** The replies of a MULTI. Errors: JournalUnavailableError for the first that failed. */
function results(reply: [Error | null, unknown][] | null): unknown[] {
  if (!reply) throw new JournalUnavailableError('the journal refused a transaction')
  return reply.map(([error, value]) => {
    if (error)
      throw new JournalUnavailableError(`the journal does not work: ${error.message}`, { cause: error })
    return value
  })
}

function eventOf(stream: string, [id, fields]: Entry): JournalEvent {
  const sequence = Number(id.split('-')[0])
  const [hashName, hash, eventName, text] = fields
  if (id !== `${sequence}-0` || hashName !== 'hash' || eventName !== 'event' || text === undefined) {
    throw new JournalCorruptError(stream, sequence, `entry ${id} is not one of the journal`)
  }
  const event = parseEvent(stream, sequence, text)
  if (event.sequence !== sequence || event.hash !== hash || canonicalJson(event) !== text) {
    throw new JournalCorruptError(stream, sequence, `entry ${id} does not hold what was appended`)
  }
  return event
}

function parseEvent(stream: string, sequence: number, text: string): JournalEvent {
  try {
    return JSON.parse(text) as JournalEvent
  } catch (error) {
    throw new JournalCorruptError(stream, sequence, 'it is not JSON', { cause: error })
  }
}
