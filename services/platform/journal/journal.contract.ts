import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import {
  type Journal,
  JournalConflictError,
  JournalCorruptError,
  type JournalEvent,
  JournalForgottenError,
  JournalInputError,
  JournalUnavailableError,
  maxEventBytes,
  maxEventsPerAppend,
} from './journal.ts'

/** A store under test. */
export interface JournalStore {
  /** Opens one more journal on the same store. */
  open(clock: Clock): Promise<Journal>
  /** Changes the data of a stored event behind the journal's back. */
  change(stream: string, sequence: number): Promise<void>
  /** Removes a stored event behind the journal's back. */
  remove(stream: string, sequence: number): Promise<void>
  close(): Promise<void>
}

/** What every journal keeps, whatever it is stored in. */
export function journalContract(
  name: string,
  skip: string | false,
  start: () => Promise<JournalStore>,
): void {
  describe(`journal contract: ${name}`, { skip }, () => {
    let store: JournalStore
    let journal: Journal
    before(async () => {
      store = await start()
      journal = await store.open(systemClock)
    })
    after(async () => {
      await journal?.close()
      await store?.close()
    })
    const parts = { store: () => store, journal: () => journal }
    appending(parts)
    concurrency(parts)
    bounds(parts)
    damage(parts)
  })
}

interface Parts {
  readonly store: () => JournalStore
  readonly journal: () => Journal
}

/** One more journal, closed when the test ends, however it ends. */
async function another(t: TestContext, store: JournalStore, clock: Clock): Promise<Journal> {
  const journal = await store.open(clock)
  t.after(() => journal.close())
  return journal
}

const note = (data: unknown) => ({ type: 'noted', data })

async function fill(journal: Journal, stream: string, count: number): Promise<void> {
  for (let sequence = 0; sequence < count; sequence += 1)
    await journal.append(stream, sequence, [note(sequence)])
}

function appending({ store, journal }: Parts): void {
  test('what was appended is read back in order, each event chained to the one before', async () => {
    const appended = [
      ...(await journal().append('chain', 0, [note('a'), note('b')])),
      ...(await journal().append('chain', 2, [note('c')])),
    ]
    const events = await journal().read('chain')
    assert.deepEqual(events, appended)
    assert.deepEqual(
      events.map((event) => [event.sequence, event.data]),
      [
        [1, 'a'],
        [2, 'b'],
        [3, 'c'],
      ],
    )
    assert.equal(events[0]?.previousHash, '0'.repeat(64))
    assert.equal(events[1]?.previousHash, events[0]?.hash)
    assert.equal(events[2]?.previousHash, events[1]?.hash)
  })

  test('any JSON comes back as it went in, but for properties that are undefined', async () => {
    const data = JSON.parse(
      '{"__proto__":{"a":1},"é😀":"\\u0000\\ud800\\n\\"","n":[1e308,-0.1,0,null,true],"":{}}',
    )
    await journal().append('odd', 0, [note(data), note({ kept: 1, left: undefined }), note(null)])
    const events = await journal().read('odd')
    assert.equal(JSON.stringify(events[0]?.data), JSON.stringify(sorted(data)))
    assert.deepEqual(events[1]?.data, { kept: 1 })
    assert.equal(events[2]?.data, null)
  })

  test('a journal opened again holds the same events', async (t) => {
    await fill(journal(), 'again', 3)
    const second = await another(t, store(), systemClock)
    assert.deepEqual(await second.read('again'), await journal().read('again'))
    await second.append('again', 3, [note('more')])
    assert.equal((await journal().read('again')).length, 4)
  })

  test('reading from a sequence leaves out what is before it', async () => {
    await fill(journal(), 'from', 5)
    const sequences = async (from: number) =>
      (await journal().read('from', from)).map(({ sequence }) => sequence)
    assert.deepEqual(await sequences(1), [1, 2, 3, 4, 5])
    assert.deepEqual(await sequences(2), [2, 3, 4, 5])
    assert.deepEqual(await sequences(4), [4, 5])
    assert.deepEqual(await sequences(6), [])
    assert.deepEqual(await sequences(600), [])
    assert.deepEqual(await journal().read('never-written'), [])
  })

  test('a stream longer than one page is read whole', async () => {
    for (let sequence = 0; sequence < 600; sequence += 100) {
      await journal().append(
        'long',
        sequence,
        Array.from({ length: 100 }, (_, index) => note(index)),
      )
    }
    assert.equal((await journal().read('long')).length, 600)
    assert.equal((await journal().read('long', 257)).length, 344)
  })

  test('streams are listed by prefix, sorted', async () => {
    for (const name of ['list/b', 'list/a', 'list/a/1', 'lisu']) await journal().append(name, 0, [note(1)])
    assert.deepEqual(await journal().streams('list/'), ['list/a', 'list/a/1', 'list/b'])
    assert.deepEqual(await journal().streams('list/a'), ['list/a', 'list/a/1'])
    assert.deepEqual(await journal().streams('nothing'), [])
    assert.ok((await journal().streams('')).includes('lisu'))
  })

  test('a clock that goes back changes neither the order nor the chain', async (t) => {
    const times = [5_000, 4_000, 6_000.7, 1]
    const clock = { ...systemClock, nowMs: () => times.shift() ?? 0 }
    const own = await another(t, store(), clock)
    await fill(own, 'clock', 4)
    const events = await own.read('clock')
    await own.close()
    assert.deepEqual(
      events.map(({ atMs }) => atMs),
      [5_000, 5_000, 6_000, 6_000],
    )
  })

  test('a closed journal refuses, and closing twice is once', async (t) => {
    const own = await another(t, store(), systemClock)
    await own.close()
    await own.close()
    await assert.rejects(own.append('closed', 0, [note(1)]), JournalUnavailableError)
    await assert.rejects(own.read('closed'), JournalUnavailableError)
    assert.deepEqual(await journal().read('closed'), [])
  })
}

function concurrency({ store, journal }: Parts): void {
  test('a writer that has not seen the last event is refused and nothing is stored', async (t) => {
    await fill(journal(), 'stale', 2)
    const second = await another(t, store(), systemClock)
    for (const writer of [journal(), second]) {
      await assert.rejects(writer.append('stale', 1, [note('late'), note('later')]), (error) => {
        assert.ok(error instanceof JournalConflictError)
        assert.deepEqual([error.stream, error.expectedSequence, error.actualSequence], ['stale', 1, 2])
        return true
      })
      await assert.rejects(writer.append('stale', 0, [note('late')]), JournalConflictError)
    }
    assert.equal((await journal().read('stale')).length, 2)
  })

  test('a writer that has seen more than is stored is refused as forgotten', async () => {
    await fill(journal(), 'ahead', 2)
    await assert.rejects(journal().append('ahead', 3, [note(1)]), JournalForgottenError)
    await assert.rejects(journal().append('ahead-new', 1, [note(1)]), JournalForgottenError)
    assert.equal((await journal().read('ahead')).length, 2)
  })

  test('two journals that race for one stream store each event exactly once', async (t) => {
    const second = await another(t, store(), systemClock)
    const writers = [journal(), journal(), second, second]
    await Promise.all(
      writers.map(async (writer, number) => {
        for (let count = 0; count < 25; count += 1) await appendSomehow(writer, 'race', `${number}/${count}`)
      }),
    )
    const events = await journal().read('race')
    const expected = writers.flatMap((_, number) =>
      Array.from({ length: 25 }, (_, count) => `${number}/${count}`),
    )
    assert.deepEqual(events.map(({ data }) => String(data)).sort(), expected.sort())
  })
}

/** As the meta-controller does it: a conflict is answered by reading again. */
async function appendSomehow(journal: Journal, stream: string, data: string): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt += 1) {
    try {
      await journal.append(stream, (await journal.read(stream)).length, [note(data)])
      return
    } catch (error) {
      if (!(error instanceof JournalConflictError)) throw error
    }
  }
  assert.fail(`${data} was never appended`)
}

function bounds({ journal }: Parts): void {
  test('names, sequences and sizes outside the bounds are refused with the reason', async () => {
    const refused: [
      stream: string,
      sequence: number,
      events: { type: string; data: unknown }[],
      reason: RegExp,
    ][] = [
      ['', 0, [note(1)], /must match/],
      ['a b', 0, [note(1)], /must match/],
      ['x'.repeat(201), 0, [note(1)], /must match/],
      ['bounds', -1, [note(1)], /expectedSequence is -1/],
      ['bounds', 0.5, [note(1)], /expectedSequence is 0.5/],
      ['bounds', 0, [], /1 to 100 events, this one 0/],
      ['bounds', 0, new Array(maxEventsPerAppend + 1).fill(note(1)), /1 to 100 events, this one 101/],
      ['bounds', 100_000, [note(1)], /is full/],
      ['bounds', 0, [{ type: 'a b', data: 1 }], /event type "a b" must match/],
      ['bounds', 0, [note('x'.repeat(maxEventBytes - 1))], /262145 bytes of data, the bound is 262144/],
      ['bounds', 0, [note({ at: [1, Number.NaN] })], /\$\.at\[1\] is NaN/],
      ['bounds', 0, [note({ when: new Date(0) })], /\$\.when is a Date/],
      ['bounds', 0, [note(undefined)], /\$ is undefined/],
      ['bounds', 0, [note(nested(80))], /nested deeper/],
      // The first is good: all of an append or none of it.
      ['bounds', 0, [note(1), note(1n)], /\$ is a bigint/],
    ]
    for (const [stream, sequence, events, reason] of refused) {
      await assert.rejects(journal().append(stream, sequence, events), (error) => {
        assert.ok(error instanceof JournalInputError, String(error))
        assert.match(error.message, reason)
        return true
      })
    }
    await assert.rejects(journal().read('bounds', 0), JournalInputError)
    await assert.rejects(journal().streams('*'), JournalInputError)
    assert.deepEqual(await journal().read('bounds'), [])
  })

  test('the largest and the deepest that is allowed is stored', async () => {
    await journal().append('largest', 0, [note('x'.repeat(maxEventBytes - 2)), note(nested(63))])
    assert.equal((await journal().read('largest')).length, 2)
  })
}

function damage({ store, journal }: Parts): void {
  test('a changed event is found, and named, on read; and nothing is appended behind a changed last event', async (t) => {
    await fill(journal(), 'changed', 4)
    await store().change('changed', 3)
    const fresh = await another(t, store(), systemClock)
    for (const from of [1, 2, 3, 4])
      await assert.rejects(fresh.read('changed', from), corruptAt('changed', 3))
    await fill(journal(), 'changed-last', 2)
    await store().change('changed-last', 2)
    await assert.rejects(fresh.append('changed-last', 2, [note(1)]), corruptAt('changed-last', 2))
  })

  test('a removed event is found, and named', async (t) => {
    await fill(journal(), 'removed', 4)
    await store().remove('removed', 2)
    const fresh = await another(t, store(), systemClock)
    await assert.rejects(fresh.read('removed'), corruptAt('removed', 2))
    await assert.rejects(fresh.read('removed', 3), corruptAt('removed', 2))
  })

  test('a removed last event is found by who has seen it, and nothing takes its place', async () => {
    await fill(journal(), 'removed-last', 4)
    await store().remove('removed-last', 4)
    const found = (error: unknown) =>
      error instanceof JournalForgottenError || error instanceof JournalCorruptError
    await assert.rejects(journal().read('removed-last'), found)
    await assert.rejects(journal().append('removed-last', 4, [note(1)]), found)
    await assert.rejects(journal().append('removed-last', 3, [note(1)]), found)
  })
}

function corruptAt(stream: string, sequence: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof JournalCorruptError, String(error))
    assert.deepEqual([error.stream, error.sequence], [stream, sequence])
    return true
  }
}

function nested(depth: number): unknown {
  return depth === 0 ? 1 : [nested(depth - 1)]
}

/** Objects come back with their keys in canonical order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => [key, sorted(item)])
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The parts of an event that a writer chose, for comparing what was acknowledged with what is there. */
export function written(events: readonly JournalEvent[]): string[] {
  return events.map(({ sequence, type, data }) => JSON.stringify([sequence, type, data]))
}
