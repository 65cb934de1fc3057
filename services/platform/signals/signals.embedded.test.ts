import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { systemClock } from '../clock.ts'
import { eventually } from '../eventually.testing.ts'
import { keepingLog, silentLog } from '../testing.ts'
import { openSignals } from './open.ts'
import { startScriptedTarget } from './scripted-target.testing.ts'
import { scrapeIntervalMs, seen, signalsContract } from './signals.contract.ts'
import { parseEmbeddedUrl } from './signals.embedded.ts'
import { type SignalSource, SignalsUnavailableError, upMetric } from './signals.ts'

const options = { clock: systemClock, log: silentLog }

signalsContract('embedded', false, async (target) =>
  openSignals(`embedded:?scrape=${encodeURIComponent(target.url)}&interval_ms=${scrapeIntervalMs}`, options),
)

const upOf = async (source: SignalSource) => {
  const [up] = await source.series({ metric: upMetric, labels: {}, startMs: 0, endMs: Date.now() })
  return up?.samples ?? []
}

test('services that open one URL share one scraper, which ends with the last of them', async (t) => {
  const target = await startScriptedTarget()
  t.after(() => target.close())
  const url = `embedded:?scrape=${target.url}&interval_ms=50`
  const [first, second] = [openSignals(url, options), openSignals(url, options)]
  await seen(first, target.step())
  assert.deepEqual(await upOf(first), await upOf(second))
  await first.close()
  await first.close()
  await assert.rejects(upOf(first), SignalsUnavailableError)
  await seen(second, target.step())
  await second.close()
  const third = openSignals(url, options)
  assert.deepEqual(await upOf(third), [])
  await third.close()
})

test('a target that is not there is told once, counted each time, and told again when it is back', async (t) => {
  const target = await startScriptedTarget()
  t.after(() => target.close())
  target.fail(true)
  const { log, lines } = keepingLog()
  const source = openSignals(`embedded:?scrape=${target.url}&interval_ms=50`, { clock: systemClock, log })
  t.after(() => source.close())
  await eventually('five scrapes have failed', async () => (await upOf(source)).length >= 5)
  assert.ok((await upOf(source)).every(({ value }) => value === 0))
  target.fail(false)
  await seen(source, target.step())
  assert.deepEqual(
    lines.map(({ event }) => event),
    ['scrape_target_away', 'scrape_target_back'],
  )
})

test('scrapes lie in the middle of each interval of the wall clock', async (t) => {
  const target = await startScriptedTarget()
  t.after(() => target.close())
  const source = openSignals(`embedded:?scrape=${target.url}&interval_ms=200`, options)
  t.after(() => source.close())
  const samples = await eventually('six scrapes', async () => {
    const found = await upOf(source)
    return found.length >= 6 ? found : undefined
  })
  // A busy machine makes single timers late, so the usual one counts.
  const distances = samples.map(({ atMs }) => Math.abs((atMs % 200) - 100)).sort((a, b) => a - b)
  assert.ok((distances[2] ?? 100) < 60, `the scrapes lie ${distances} ms from the middle`)
  const intervals = samples.map(({ atMs }) => Math.floor(atMs / 200))
  assert.equal(new Set(intervals).size, intervals.length)
})

test('a target that hangs is given up within the interval and does not hold up closing', async (t) => {
  const sockets = new Set<Socket>()
  const hanging = createServer((socket) => void sockets.add(socket))
  await new Promise<void>((done) => hanging.listen(0, '127.0.0.1', done))
  const { port } = hanging.address() as AddressInfo
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    hanging.close()
  })
  const source = openSignals(`embedded:?scrape=http://127.0.0.1:${port}/metrics&interval_ms=60000`, options)
  await source.close()
  const quick = openSignals(`embedded:?scrape=http://127.0.0.1:${port}/metrics&interval_ms=100`, options)
  await eventually('a scrape has failed', async () => (await upOf(quick)).some(({ value }) => value === 0))
  const began = performance.now()
  await quick.close()
  assert.ok(performance.now() - began < 500)
})

test('URLs are read with their defaults, and refused with the parameter that is wrong', () => {
  assert.deepEqual(parseEmbeddedUrl('embedded:'), { targets: [], intervalMs: 1_000, retentionMs: 3_600_000 })
  const url = 'embedded:?scrape=http://a:1/metrics&scrape=https://b:2/m&interval_ms=500&retention_ms=60000'
  assert.deepEqual(parseEmbeddedUrl(url), {
    targets: ['http://a:1/metrics', 'https://b:2/m'],
    intervalMs: 500,
    retentionMs: 60_000,
  })
  const refused: [string, RegExp][] = [
    ['embedded:?scrape=a', /scrape=a must be an http or https URL/],
    ['embedded:?scrape=file:///etc/passwd', /must be an http or https URL/],
    ['embedded:?scrape=http://a:1/x&scrape=http://a:1/y', /one host and port twice/],
    ['embedded:?interval_ms=1', /interval_ms must be a whole number from 50 to 60000/],
    ['embedded:?retention_ms=10', /retention_ms must be a whole number from 1000/],
    ['prometheus:localhost:9090', /the URL of a signal source begins with/],
    ['embedded', /the URL of a signal source begins with/],
    ['prometheus:http://user:hunter2@a:9090', /must not hold a user or password/],
  ]
  for (const [wrong, reason] of refused) {
    assert.throws(
      () => openSignals(wrong, options),
      (error) => {
        assert.match((error as Error).message, reason)
        assert.doesNotMatch((error as Error).message, /hunter2/)
        return true
      },
    )
  }
})
