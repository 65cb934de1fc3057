import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import { eventually } from '../platform/eventually.testing.ts'
import { newJournal, serve, startMind, toTheEnd } from './mind.testing.ts'
import { createWorld } from './peers.fixture.ts'

test('stopped before any of its calls, it goes on after a restart to the same end, with each effect once', async (t) => {
  const calls = await countCalls(t)
  for (let stopAt = 1; stopAt <= calls; stopAt++) {
    const journal = await newJournal(t)
    const world = createWorld()
    const first = await startMind(journal, world)
    let made = 0
    const stopped = new Promise<void>((resolve) => {
      world.before = () => {
        made += 1
        if (made !== stopAt + 1) return
        void first.stop().then(resolve)
        throw new ConnectError('the process is gone', Code.Unavailable)
      }
    })
    const wish = {
      goal: 'reduce_latency',
      targetMetric: 'latency_p95',
      intervention: '',
      affectedMetrics: [],
      target: 'storefront',
      autonomy: 'auto',
      submittedBy: '',
    } as const
    const { id } = await first.objectives.submit(wish, 'the-wish')
    if (stopAt < calls) await stopped
    else await first.objectives.stopped().then(first.stop)
    world.before = () => undefined
    const second = await startMind(journal, world)
    await eventually('the objective has ended', async () => (await second.objectives.get(id)).ending)
    assert.equal((await second.objectives.get(id)).ending, 'promoted', `stopped at call ${stopAt}`)
    assert.deepEqual([...world.effects].toSorted(), [
      `commit:c-${id}-1`,
      `deploy:c-${id}-1`,
      `promote:c-${id}-1`,
    ])
    assert.deepEqual([...world.remembered.keys()], [`objective/${id}/1`], `stopped at call ${stopAt}`)
    await second.stop()
  }
})

async function countCalls(t: TestContext): Promise<number> {
  const world = createWorld()
  const { client } = await serve(t, world)
  const { objectiveId } = await client.submitObjective({ goal: 'reduce_latency' })
  await toTheEnd(client, objectiveId)
  return world.calls.length
}
