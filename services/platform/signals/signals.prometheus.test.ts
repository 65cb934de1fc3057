import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../clock.ts'
import { freePorts, silentLog } from '../testing.ts'
import { goldenSignals, sumSlots } from './golden.ts'
import { quantileOf } from './histogram.ts'
import { openSignals } from './open.ts'
import { startTestPrometheus, withoutPrometheus } from './prometheus.testing.ts'
import { startScriptedTarget } from './scripted-target.testing.ts'
import { playScript, scrapeIntervalMs, seen, signalsContract } from './signals.contract.ts'
import { SignalsUnavailableError } from './signals.ts'

const options = { clock: systemClock, log: silentLog }
const query = { metric: 'up', labels: {}, startMs: 1_000, endMs: 2_000 }

signalsContract('prometheus', withoutPrometheus, async (target) => {
  const prometheus = await startTestPrometheus([target.instance], scrapeIntervalMs)
  const source = openSignals(`prometheus:${prometheus.url}`, options)
  return {
    series: (query) => source.series(query),
    close: async () => {
      await source.close()
      await prometheus.close()
    },
  }
})

test('embedded and Prometheus, scraping one target, give the same signals', {
  skip: withoutPrometheus,
}, async (t) => {
  const target = await startScriptedTarget()
  const prometheus = await startTestPrometheus([target.instance], scrapeIntervalMs)
  const sources = [
    openSignals(`embedded:?scrape=${target.url}&interval_ms=${scrapeIntervalMs}`, options),
    openSignals(`prometheus:${prometheus.url}`, options),
  ]
  t.after(async () => {
    for (const source of sources) await source.close()
    await prometheus.close()
    await target.close()
  })
  const first = target.step()
  for (const source of sources) await seen(source, first)
  const startMs = Date.now()
  await playScript(target, sources, 'both')
  const endMs = Date.now()
  const window = { service: 'both', startMs, endMs, slotMs: endMs - startMs }
  const [embedded, real] = await Promise.all(
    sources.map(async (source) => sumSlots(await goldenSignals(source, window))),
  )
  assert.equal(embedded?.requests, 48)
  assert.deepEqual({ ...embedded }, { ...real })
  const nothing = { upperBoundsMs: [], counts: [] }
  for (const q of [0.5, 0.95, 0.99]) {
    assert.equal(quantileOf(embedded?.latency ?? nothing, q), quantileOf(real?.latency ?? nothing, q))
  }
})

/** A server that answers every query in one way. */
async function answering(t: TestContext, status: number, body: string) {
  const seenQueries: string[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      seenQueries.push(new URLSearchParams(text).get('query') ?? '')
      response.writeHead(status).end(body)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const source = openSignals(
    `prometheus:http://127.0.0.1:${(server.address() as AddressInfo).port}/under/`,
    options,
  )
  return { source, seenQueries }
}

test('the query is a raw range selector with escaped values', async (t) => {
  const body = JSON.stringify({ status: 'success', data: { resultType: 'matrix', result: [] } })
  const { source, seenQueries } = await answering(t, 200, body)
  assert.deepEqual(await source.series({ ...query, metric: 'm_total', labels: { a: 'x"\\\n', b: '' } }), [])
  assert.deepEqual(seenQueries, ['m_total{a="x\\"\\\\\\n",b=""}[1001ms]'])
  await assert.rejects(source.series({ ...query, metric: 'm{}' }), /not the name of a metric/)
  await assert.rejects(source.series({ ...query, labels: { 'a=~': 'x' } }), /not the name of a label/)
})

test('NaN is left out, and what lies outside the window', async (t) => {
  const values = [
    [0.9, '1'],
    [1, '2'],
    [1.5, 'NaN'],
    [2, '+Inf'],
    [2.1, '4'],
  ]
  const result = [{ metric: { __name__: 'up', instance: 'a:1' }, values }]
  const body = JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } })
  const { source } = await answering(t, 200, body)
  assert.deepEqual(await source.series(query), [
    {
      labels: { instance: 'a:1' },
      samples: [
        { atMs: 1_000, value: 2 },
        { atMs: 2_000, value: Number.POSITIVE_INFINITY },
      ],
    },
  ])
})

test('errors, partial answers and nonsense are unavailable, with what was said', async (t) => {
  const partial = {
    status: 'success',
    warnings: ['store b is away'],
    data: { resultType: 'matrix', result: [] },
  }
  const cases: [number, string, RegExp][] = [
    [422, '{"status":"error","error":"too many samples"}', /answered 422: .*too many samples/],
    [200, '<html>', /does not answer/],
    [200, '{"status":"success","data":{"resultType":"vector","result":[]}}', /does not answer/],
    [200, JSON.stringify(partial), /answered in part: store b is away/],
  ]
  for (const [status, body, reason] of cases) {
    const { source } = await answering(t, status, body)
    await assert.rejects(source.series(query), (error) => {
      assert.ok(error instanceof SignalsUnavailableError, String(error))
      assert.match(error.message, reason)
      return true
    })
  }
})

test('a Prometheus that is not there is unavailable at once, with the address', async () => {
  const [port] = await freePorts(1)
  const source = openSignals(`prometheus:http://127.0.0.1:${port}`, options)
  await assert.rejects(source.series(query), (error) => {
    assert.ok(error instanceof SignalsUnavailableError)
    assert.match(error.message, new RegExp(`127.0.0.1:${port} does not answer: .*ECONNREFUSED`))
    return true
  })
  await source.close()
})
