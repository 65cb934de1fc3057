import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../clock.ts'
import { seededRandom } from '../eventually.testing.ts'
import { startTestRedis, withoutRedis } from '../redis.testing.ts'
import { exportJournal, verifyExport } from './export.ts'
import { openJournal } from './open.ts'

const seed = 5
const kills = 12
const child = fileURLToPath(new URL('append-forever.testing.ts', import.meta.url))

/** Lets the child append until it has acknowledged `acknowledgements`, then `furtherMs` longer; gives the last sequence that it acknowledged. */
async function appendAndKill(url: string, acknowledgements: number, furtherMs: number): Promise<number> {
  const writer = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', child, url, 'killed'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  })
  const ended = new Promise((resolve) => writer.once('close', resolve))
  let output = ''
  let aimed = false
  writer.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (aimed || output.split('\n').length <= acknowledgements) return
    aimed = true
    setTimeout(() => writer.kill('SIGKILL'), furtherMs)
  })
  await ended
  // What follows the last line break was cut off by the kill.
  return Number(output.split('\n').at(-2))
}

async function killOften(url: string): Promise<void> {
  const random = seededRandom(seed)
  let acknowledged = 0
  for (let round = 0; round < kills; round += 1) {
    const last = await appendAndKill(url, 1 + Math.floor(random() * 60), random() * 4)
    assert.ok(last > acknowledged, `round ${round} of seed ${seed}: the child went on from ${acknowledged}`)
    acknowledged = last
    const journal = await openJournal(url, { clock: systemClock })
    const events = await journal.read('killed')
    assert.ok(
      events.length >= acknowledged,
      `round ${round} of seed ${seed}: ${acknowledged} were acknowledged`,
    )
    assert.equal(events.length % 2, 0, `round ${round} of seed ${seed}: half of an append was stored`)
    assert.equal(verifyExport(await exportJournal(journal, 'killed')).ok, true)
    await journal.close()
  }
}

test('kill -9 at any moment loses no acknowledged event and stores no half append (sqlite)', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-kill-'))
  try {
    await killOften(`sqlite:${path.join(folder, 'journal.sqlite')}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('kill -9 at any moment loses no acknowledged event and stores no half append (redis)', {
  skip: withoutRedis,
}, async () => {
  const server = await startTestRedis()
  try {
    await killOften(server.url)
  } finally {
    await server.close()
  }
})
