import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import { systemClock } from '../clock.ts'
import { eventually, seededRandom } from '../eventually.testing.ts'
import { startTestRedis, type TestRedis, withoutRedis } from '../redis.testing.ts'
import { freePorts } from '../testing.ts'
import { journalContract, written } from './journal.contract.ts'
import { type Journal, type JournalEvent, JournalForgottenError, JournalUnavailableError } from './journal.ts'
import { openJournal } from './open.ts'

/** More than a command's time-out, less than a caller's patience. */
const boundMs = 3_500

journalContract('redis', withoutRedis, async () => {
  const server = await startTestRedis()
  const redis = new Redis(server.url)
  const keyOf = (stream: string) => `nexus:{journal}:stream:${stream}`
  return {
    open: (clock) => openJournal(server.url, { clock }),
    change: async (stream, sequence) => {
      // Redis cannot change an entry, so the stream is written anew with one that differs.
      const entries = await redis.xrange(keyOf(stream), '-', '+')
      await redis.del(keyOf(stream))
      for (const [id, [hashName = '', hash = '', eventName = '', text = '']] of entries) {
        const changed = id === `${sequence}-0` ? text.replace(/"data":\d+/, '"data":99') : text
        await redis.xadd(keyOf(stream), id, hashName, hash, eventName, changed)
      }
    },
    remove: async (stream, sequence) => {
      await redis.xdel(keyOf(stream), `${sequence}-0`)
    },
    close: async () => {
      redis.disconnect()
      await server.close()
    },
  }
})

const note = (data: unknown) => [{ type: 'noted', data }]

async function open(t: TestContext, settings?: Record<string, string>): Promise<[TestRedis, Journal]> {
  const server = await startTestRedis(settings)
  const journal = await openJournal(server.url, { clock: systemClock })
  t.after(async () => {
    await journal.close()
    await server.close()
  })
  return [server, journal]
}

async function refusedInTime(work: Promise<unknown>): Promise<void> {
  const began = performance.now()
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof JournalUnavailableError, String(error))
    return true
  })
  assert.ok(performance.now() - began < boundMs)
}

describe('a journal whose Redis fails', { skip: withoutRedis }, () => {
  test('refuses in bounded time while Redis is away, and goes on by itself with everything when it is back', async (t) => {
    const [server, journal] = await open(t)
    const before = await journal.append('s', 0, note('before'))
    await server.stop('SIGKILL')
    await refusedInTime(journal.append('s', 1, note('away')))
    await refusedInTime(journal.read('s'))
    await refusedInTime(journal.streams(''))
    await server.start()
    const back = await eventually('the journal answers', () => journal.read('s').catch(() => undefined))
    assert.deepEqual(back, before)
    assert.equal((await journal.append('s', 1, note('after'))).length, 1)
  })

  test('refuses in bounded time while Redis hangs, and what it then did shows when it wakes', async (t) => {
    const [server, journal] = await open(t)
    await journal.append('s', 0, note('before'))
    server.freeze()
    await refusedInTime(journal.append('s', 1, note('hanging')))
    server.thaw()
    // Whether the append arrived is not known: reading tells, and a writer that read can go on.
    const events = await eventually('the journal answers', () => journal.read('s').catch(() => undefined))
    assert.equal((await journal.append('s', events.length, note('after'))).length, 1)
    assert.equal((await journal.read('s')).length, events.length + 1)
  })

  test('forgets nothing that it acknowledged while Redis is killed again and again under load', async (t) => {
    const [server, journal] = await open(t)
    const random = seededRandom(3)
    const acknowledged: JournalEvent[][] = [[], [], []]
    const ending = new AbortController()
    const writers = acknowledged.map((list, number) =>
      appendUntil(ending.signal, journal, `load/${number}`, list),
    )
    for (let round = 0; round < 4; round += 1) {
      const goal = acknowledged.flat().length + 20 + Math.floor(random() * 150)
      await eventually('enough is acknowledged', () => acknowledged.flat().length >= goal)
      await server.stop('SIGKILL')
      await server.start()
    }
    ending.abort()
    await Promise.all(writers)
    for (const [number, list] of acknowledged.entries()) {
      const there = new Set(
        written(await eventually('it answers', () => journal.read(`load/${number}`).catch(() => undefined))),
      )
      for (const event of written(list)) assert.ok(there.has(event), `${event} was acknowledged and is gone`)
    }
  })

  test('refuses when Redis comes back empty: old streams, new streams and reads', async (t) => {
    const [server, journal] = await open(t, { appendonly: 'no' })
    await journal.append('s', 0, note('acknowledged'))
    await server.stop('SIGKILL')
    await server.start()
    await eventually('Redis is back', () => journal.streams('').catch(() => undefined))
    await assert.rejects(journal.append('s', 1, note('on')), JournalForgottenError)
    await assert.rejects(journal.append('s', 0, note('anew')), JournalForgottenError)
    await assert.rejects(journal.append('another', 0, note('first')), JournalForgottenError)
    await assert.rejects(journal.read('s'), JournalForgottenError)
  })

  test('refuses when Redis comes back with an older state, and when others have since written over the loss', async (t) => {
    const [server, journal] = await open(t)
    const backup = mkdtempSync(path.join(tmpdir(), 'nexus-backup-'))
    t.after(() => rmSync(backup, { recursive: true, force: true }))
    await journal.append('s', 0, note('old'))
    await server.stop('SIGKILL')
    cpSync(server.folder, backup, { recursive: true })
    await server.start()
    await eventually('Redis is back', () => journal.read('s').catch(() => undefined))
    await journal.append('s', 1, note('acknowledged'))
    await server.stop('SIGKILL')
    rmSync(server.folder, { recursive: true })
    cpSync(backup, server.folder, { recursive: true })
    await server.start()
    await eventually('Redis is back', () => journal.streams('').catch(() => undefined))
    await assert.rejects(journal.append('s', 2, note('on')), JournalForgottenError)
    await assert.rejects(journal.append('s', 1, note('anew')), JournalForgottenError)
    await assert.rejects(journal.read('s'), JournalForgottenError)
    const newcomer = await openJournal(server.url, { clock: systemClock })
    await newcomer.append('s', 1, note('by one that has not seen the loss'))
    await newcomer.close()
    await assert.rejects(journal.append('s', 2, note('on')), JournalForgottenError)
    await assert.rejects(journal.read('s'), JournalForgottenError)
  })

  test('is not opened on a Redis that is not there, and the message holds no password', async () => {
    const [port] = await freePorts(1)
    const began = performance.now()
    await assert.rejects(
      openJournal(`redis://user:hunter2@127.0.0.1:${port}/0`, { clock: systemClock }),
      (error) => {
        assert.ok(error instanceof JournalUnavailableError)
        assert.match(
          error.message,
          new RegExp(`redis://127.0.0.1:${port}/0 cannot be opened: .*ECONNREFUSED`),
        )
        assert.doesNotMatch(error.message, /hunter2/)
        return true
      },
    )
    assert.ok(performance.now() - began < boundMs + 500)
  })
})

describe('a journal on a Redis that can forget', { skip: withoutRedis }, () => {
  const cases: [settings: Record<string, string>, warnings: RegExp[]][] = [
    [{ appendonly: 'yes', appendfsync: 'always' }, []],
    [{ appendonly: 'no' }, [/no append-only file; set appendonly yes/]],
    [{ appendonly: 'yes', appendfsync: 'everysec' }, [/set appendfsync always/]],
    [
      { appendonly: 'no', maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' },
      [/set appendonly yes/, /allkeys-lru.*noeviction/],
    ],
  ]
  for (const [settings, expected] of cases) {
    const name = Object.entries(settings).flat().join(' ')
    test(`with ${name} warns ${expected.length} times`, async (t) => {
      const server = await startTestRedis(settings)
      t.after(() => server.close())
      const warnings: string[] = []
      const options = { clock: systemClock, onWarning: (message: string) => void warnings.push(message) }
      await (await openJournal(server.url, options)).close()
      assert.equal(warnings.length, expected.length)
      for (const [index, pattern] of expected.entries()) assert.match(warnings[index] ?? '', pattern)
    })
  }
})

/** A writer that, as the meta-controller does, reads again after whatever went wrong. */
async function appendUntil(
  signal: AbortSignal,
  journal: Journal,
  stream: string,
  list: JournalEvent[],
): Promise<void> {
  let sequence = 0
  while (!signal.aborted) {
    try {
      const events = await journal.append(stream, sequence, note(sequence))
      list.push(...events)
      sequence += 1
    } catch (error) {
      assert.ok(!(error instanceof JournalForgottenError), String(error))
      await new Promise((resolve) => setTimeout(resolve, 5))
      sequence = await journal.read(stream).then(
        ({ length }) => length,
        () => sequence,
      )
    }
  }
}
