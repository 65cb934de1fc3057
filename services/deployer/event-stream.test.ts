import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../platform/clock.ts'
import { type Journal, JournalUnavailableError } from '../platform/journal/journal.ts'
import { openJournal } from '../platform/journal/open.ts'
import { EventStream } from './event-stream.ts'

const clock = { ...systemClock, sleep: async () => undefined }

async function withJournal(work: (journal: Journal) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nexus-stream-'))
  const journal = await openJournal(`sqlite:${path.join(folder, 'journal.sqlite')}`, { clock })
  try {
    await work(journal)
  } finally {
    await journal.close()
    await rm(folder, { recursive: true })
  }
}

/** A journal whose appends fail as `faults` say, before or after they are stored. */
function failing(journal: Journal, faults: ('before' | 'after')[]): Journal {
  return {
    append: async (...call) => {
      const fault = faults.shift()
      const events = fault === 'before' ? [] : await journal.append(...call)
      if (fault) throw new JournalUnavailableError('away')
      return events
    },
    read: (...call) => journal.read(...call),
    streams: (prefix) => journal.streams(prefix),
    close: () => journal.close(),
  }
}

test('an event is stored once, however often the journal was away before or after storing it', async () => {
  await withJournal(async (journal) => {
    let away = 0
    const stream = new EventStream({
      journal: failing(journal, ['before', 'after', 'before']),
      clock,
      stream: 'deployment/d1',
      sequence: 0,
      onAway: () => away++,
    })
    const { signal } = new AbortController()
    await stream.append({ type: 'begun', data: { id: 'd1' } }, signal)
    await stream.append({ type: 'stepped', data: { step: 0 } }, signal)
    const types = (await journal.read('deployment/d1')).map((event) => event.type)
    assert.deepEqual(types, ['begun', 'stepped'])
    assert.equal(away, 3)
  })
})

test('an append ends with its signal while the journal is away', async () => {
  await withJournal(async (journal) => {
    const ending = new AbortController()
    const stream = new EventStream({
      journal: failing(journal, Array(1000).fill('before')),
      clock,
      stream: 'deployment/d1',
      sequence: 0,
      onAway: () => ending.abort(new Error('the end')),
    })
    await assert.rejects(stream.append({ type: 'begun', data: {} }, ending.signal), /the end/)
  })
})
