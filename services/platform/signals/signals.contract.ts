import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '../eventually.testing.ts'
import { edgesOf } from './edges.ts'
import { type GoldenSlot, goldenSignals, sumSlots, versionsOf } from './golden.ts'
import { type ScriptedTarget, startScriptedTarget } from './scripted-target.testing.ts'
import { type SignalSource, SignalsUnavailableError, upMetric } from './signals.ts'

/** How often a source under test must scrape the target. */
export const scrapeIntervalMs = 400

/** What every signal source tells of a target that is scraped through it. */
export function signalsContract(
  name: string,
  skip: string | false,
  start: (target: ScriptedTarget) => Promise<SignalSource>,
): void {
  describe(`signals contract: ${name}`, { skip }, () => {
    let target: ScriptedTarget
    let source: SignalSource
    before(async () => {
      target = await startScriptedTarget()
      source = await start(target)
      await seen(source, target.step())
    })
    after(async () => {
      await source?.close()
      await target?.close()
    })
    contract({ target: () => target, source: () => source })
  })
}

interface Parts {
  readonly target: () => ScriptedTarget
  readonly source: () => SignalSource
}

function contract({ target, source }: Parts): void {
  test('counts, errors and latency are what the target did, over restarts and first errors', async () => {
    const startMs = Date.now()
    const expected = await playScript(target(), [source()], 'counted')
    const total = sumSlots(await signals(source(), { service: 'counted', startMs, round: 'ceil' }))
    assert.deepEqual({ ...total?.requestsByStatus }, expected)
    assert.deepEqual([total?.requests, total?.errors], [48, 8])
    assert.deepEqual(total?.latency, { upperBoundsMs: [1, 5, 10, 50, 100], counts: [0, 24, 0, 16, 0, 8] })
  })

  test('while the target cannot be scraped there is no evidence, and afterwards nothing is lost', async () => {
    await play(target(), [source()], () => target().request(call('gap', 0), [3]))
    await secondsPass(1)
    const startMs = Date.now()
    await play(target(), [source()], () => target().request(call('gap', 0), [3, 3]))
    await secondsPass(1)
    target().fail(true)
    const downMs = await eventually('the failure is seen', () => firstDown(source(), target(), startMs))
    target().request(call('gap', 0), [3, 3, 3])
    await secondsPass(2)
    target().fail(false)
    await seen(source(), target().step())
    await secondsPass(2)
    const slots = await signals(source(), { service: 'gap', startMs, round: 'floor' })
    assert.equal(
      slots.reduce((sum, slot) => sum + slot.requests, 0),
      5,
    )
    const during = slots.find((slot) => slot.startMs > downMs)
    assert.equal(during?.covered, false)
    assert.equal(slots[0]?.covered, true)
    assert.equal(slots.at(-1)?.covered, true)
  })

  test('versions and edges are those that the target reported', async () => {
    await play(target(), [source()], () => target().request(call('edge', 0), [1]))
    const startMs = Date.now()
    await play(target(), [source()], () => {
      target().request({ ...call('edge', 0), version: 'canary' }, [1, 1])
      target().request(call('edge', 14), [1])
    })
    const window = { startMs, endMs: Date.now(), namespace: 'default' }
    assert.deepEqual(await versionsOf(source(), { ...window, service: 'edge' }), [
      { version: 'canary', requests: 2 },
      { version: 'stable', requests: 1 },
    ])
    const edges = (await edgesOf(source(), window)).filter(({ service }) => service === 'edge')
    assert.deepEqual(edges, [
      { caller: 'web', service: 'edge', namespace: 'default', requests: 3, errors: 1 },
    ])
  })

  test('series carry the instance, lie within the window, and are none where nothing is', async () => {
    const endMs = Date.now()
    const window = { startMs: endMs - 1_000, endMs }
    const [up] = await source().series({
      metric: upMetric,
      labels: { instance: target().instance },
      ...window,
    })
    assert.equal(up?.labels.instance, target().instance)
    assert.ok(up.samples.length >= 1 && up.samples.length <= 4, `${up.samples.length} scrapes in a second`)
    assert.ok(
      up.samples.every(({ atMs, value }) => atMs >= window.startMs && atMs <= window.endMs && value === 1),
    )
    assert.deepEqual(await source().series({ metric: 'never_heard_of', labels: {}, ...window }), [])
    const odd = { 'a"b\\c\nd': 'x' }
    assert.deepEqual(
      await source().series({ metric: upMetric, labels: { l: Object.keys(odd)[0] ?? '' }, ...window }),
      [],
    )
  })

  test('a closed source is unavailable', async () => {
    await source().close()
    const query = { metric: upMetric, labels: {}, startMs: 0, endMs: Date.now() }
    await assert.rejects(source().series(query), SignalsUnavailableError)
  })
}

/** Two restarts, an error that was not there before, three statuses; each state is held until all sources have seen it. */
export async function playScript(
  target: ScriptedTarget,
  sources: readonly SignalSource[],
  service: string,
): Promise<Record<number, number>> {
  const round = () => {
    target.request(call(service, 0), [2, 2, 30])
    target.request(call(service, 5), [2])
  }
  for (let step = 0; step < 8; step += 1) {
    if (step === 3 || step === 6) await play(target, sources, () => target.restart())
    await play(target, sources, () => {
      round()
      target.request(call(service, step < 4 ? 0 : 14), [200])
      if (step >= 4) target.request(call(service, 13), [30])
      else target.request(call(service, 0), [30])
    })
  }
  return { 0: 32, 5: 8, 13: 4, 14: 4 }
}

async function play(
  target: ScriptedTarget,
  sources: readonly SignalSource[],
  move: () => void,
): Promise<void> {
  move()
  const step = target.step()
  await Promise.all(sources.map((source) => seen(source, step)))
}

/** Waits until the source has scraped the step. */
export async function seen(source: SignalSource, step: number): Promise<void> {
  await eventually(`step ${step} is scraped`, async () => {
    const endMs = Date.now()
    const query = { metric: 'test_step', labels: {}, startMs: endMs - 10_000, endMs }
    const [series] = await source.series(query).catch(() => [])
    return series?.samples.at(-1)?.value === step
  })
}

/** The slots of a second each from the moment given; the last one is over (`floor`) or has just begun (`ceil`). */
function signals(
  source: SignalSource,
  query: { service: string; startMs: number; round: 'floor' | 'ceil' },
): Promise<GoldenSlot[]> {
  const { service, startMs, round } = query
  const endMs = startMs + Math[round]((Date.now() - startMs) / 1_000) * 1_000
  return goldenSignals(source, { service, startMs, endMs, slotMs: 1_000 })
}

async function firstDown(
  source: SignalSource,
  target: ScriptedTarget,
  startMs: number,
): Promise<number | undefined> {
  const query = { metric: upMetric, labels: { instance: target.instance }, startMs, endMs: Date.now() }
  const [up] = await source.series(query)
  return up?.samples.find(({ value }) => value === 0)?.atMs
}

/** Slots are seconds of real time, which has to pass; a little more than whole ones, so that they hold whole slots. */
async function secondsPass(count: number): Promise<void> {
  const endMs = Date.now() + count * 1_000 + 300
  await eventually('the time has passed', () => Date.now() > endMs)
}

function call(service: string, status: number) {
  return { service, caller: 'web', version: 'stable', status }
}
