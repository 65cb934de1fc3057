import assert from 'node:assert/strict'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { Code, ConnectError } from '@connectrpc/connect'
import { Role } from '../gen/nexus/llm_adapter/v1/completion_pb.ts'
import { type Clock, systemClock } from '../platform/clock.ts'
import { openJournal } from '../platform/journal/open.ts'
import { completion, failure, hang, startProvider, streaming } from '../platform/openai.testing.ts'
import { listOf } from '../platform/testing.ts'
import { BudgetSpentError, TokenBudget } from './budget.ts'
import { settingsFor, startAdapter, temporaryFolder } from './testing.ts'

const noonMs = Date.UTC(2026, 10, 22, 12)

async function budgetIn(
  t: TestContext,
  folder: string,
  tokensPerDay: number,
  clock: Clock = { ...systemClock, nowMs: () => noonMs },
) {
  const journal = await openJournal(`sqlite:${path.join(folder, 'journal.sqlite')}`, { clock })
  t.after(() => journal.close())
  return { journal, budget: new TokenBudget({ journal, clock, tokensPerDay }) }
}

const tokens = (inputTokens: number, outputTokens: number) => ({ inputTokens, outputTokens })

test('what is reserved counts until it is settled with what it cost', async (t) => {
  const { budget } = await budgetIn(t, temporaryFolder(t), 1_000)
  const first = await budget.reserve(tokens(500, 300))
  await assert.rejects(budget.reserve(tokens(201, 0)), BudgetSpentError)
  await first.settle(tokens(100, 20))
  assert.deepEqual(await budget.used(), tokens(100, 20))
  await budget.reserve(tokens(880, 0))
  await assert.rejects(budget.reserve(tokens(1, 0)), /may cost 1 tokens, 0 of 1000 are left for 2026-11-22/)
})

test('a budget of zero spends nothing', async (t) => {
  const { budget } = await budgetIn(t, temporaryFolder(t), 0)
  await assert.rejects(budget.reserve(tokens(1, 0)), BudgetSpentError)
})

test('a hundred callers at once do not pass the budget', async (t) => {
  const { budget } = await budgetIn(t, temporaryFolder(t), 1_000)
  const results = await Promise.allSettled(Array.from({ length: 100 }, () => budget.reserve(tokens(60, 40))))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 10)
  assert.deepEqual(await budget.used(), tokens(600, 400))
})

test('two replicas share the day', async (t) => {
  const folder = temporaryFolder(t)
  const replicas = [await budgetIn(t, folder, 1_000), await budgetIn(t, folder, 1_000)]
  const asked = Array.from({ length: 40 }, (_, index) => replicas[index % 2]!.budget.reserve(tokens(50, 0)))
  const results = await Promise.allSettled(asked)
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 20)
})

test('a restart does not give the day anew, and what was under way when it died stays reserved', async (t) => {
  const folder = temporaryFolder(t)
  const first = await budgetIn(t, folder, 1_000)
  await (await first.budget.reserve(tokens(100, 100))).settle(tokens(90, 10))
  await first.budget.reserve(tokens(300, 200))
  await first.journal.close()
  const { budget } = await budgetIn(t, folder, 1_000)
  assert.deepEqual(await budget.used(), tokens(390, 210))
})

test('midnight in UTC gives a new day, and what was reserved before is settled on its own day', async (t) => {
  let nowMs = Date.UTC(2026, 10, 22, 23, 59, 59)
  const clock = { ...systemClock, nowMs: () => nowMs }
  const { budget } = await budgetIn(t, temporaryFolder(t), 1_000, clock)
  const late = await budget.reserve(tokens(1_000, 0))
  nowMs += 1_000
  const early = await budget.reserve(tokens(600, 0))
  await late.settle(tokens(700, 0))
  assert.deepEqual(await budget.used(), tokens(600, 0))
  await early.settle(tokens(1, 0))
  assert.deepEqual(await budget.used(), tokens(1, 0))
  nowMs -= 1_000
  assert.deepEqual(await budget.used(), tokens(700, 0))
})

const messages = [{ role: Role.USER, content: 'x'.repeat(100) }]

/** The most that the prompt above can cost: 100 bytes, 16 for the turn, 32 for the prompt, and the answer. */
const mostInput = 148

async function adapterFor(
  t: TestContext,
  dailyBudget: number,
  more: Record<string, string> = {},
  folder = temporaryFolder(t),
) {
  const provider = await startProvider(t)
  const env = settingsFor(provider, { NEXUS_LLM_DAILY_TOKEN_BUDGET: String(dailyBudget), ...more })
  const adapter = await startAdapter(t, {
    folder,
    env,
    clock: { ...systemClock, sleep: () => Promise.resolve() },
  })
  const used = async () => {
    const { usedToday } = await adapter.client.getProvider({})
    return [Number(usedToday?.inputTokens), Number(usedToday?.outputTokens)]
  }
  return { ...adapter, provider, used }
}

test('a call that the budget does not allow is refused before anything is sent', async (t) => {
  const { client, provider, registry } = await adapterFor(t, 200)
  provider.behave(completion('x'))
  await assert.rejects(client.complete({ messages, maxOutputTokens: 100 }), (error) => {
    assert.ok(error instanceof ConnectError)
    assert.equal(error.code, Code.ResourceExhausted)
    assert.match(error.rawMessage, /may cost 248 tokens, 200 of 200 are left.*NEXUS_LLM_DAILY_TOKEN_BUDGET/)
    return true
  })
  assert.equal(provider.seen.length, 0)
  assert.match(await registry.metrics(), /nexus_llm_calls_total\{operation="complete",outcome="budget"\} 1/)
})

test('an answer costs what the provider says, or else the most that it can have cost', async (t) => {
  const { client, provider, used } = await adapterFor(t, 100_000)
  provider.behave(
    completion('x', { usage: [30, 7] }),
    completion('x', { usage: null }),
    streaming(['x'], { usage: [5, 5] }),
    streaming(['x'], { usage: null }),
  )
  await client.complete({ messages, maxOutputTokens: 50 })
  assert.deepEqual(await used(), [30, 7])
  await client.complete({ messages, maxOutputTokens: 50 })
  assert.deepEqual(await used(), [30 + mostInput, 57])
  await listOf(client.streamCompletion({ prompt: { messages, maxOutputTokens: 50 } }))
  assert.deepEqual(await used(), [35 + mostInput, 62])
  await listOf(client.streamCompletion({ prompt: { messages, maxOutputTokens: 50 } }))
  assert.deepEqual(await used(), [35 + 2 * mostInput, 112])
})

test('what the provider refused costs nothing; what it may have worked on costs the most', async (t) => {
  const { client, provider, used } = await adapterFor(t, 100_000, { NEXUS_LLM_ATTEMPT_TIMEOUT_MS: '100' })
  const ask = () => client.complete({ messages, maxOutputTokens: 50 }).catch(() => undefined)
  provider.behave(failure(429))
  await ask()
  provider.behave(failure(401))
  await ask()
  assert.deepEqual(await used(), [0, 0])
  provider.behave(hang, completion('x', { usage: [30, 7] }))
  await ask()
  assert.deepEqual(await used(), [30 + mostInput, 57])
})

test('a stream that was given up costs the most', async (t) => {
  const { client, provider, used } = await adapterFor(t, 100_000)
  provider.behave(streaming(['a', 'b'], { end: 'cut' }))
  await assert.rejects(listOf(client.streamCompletion({ prompt: { messages, maxOutputTokens: 50 } })))
  assert.deepEqual(await used(), [mostInput, 50])
})

test('the budget outlives a restart of the service', async (t) => {
  const folder = temporaryFolder(t)
  const first = await adapterFor(t, 400, {}, folder)
  first.provider.behave(completion('x', { usage: [100, 100] }))
  await first.client.complete({ messages, maxOutputTokens: 200 })
  await first.stop()
  const second = await adapterFor(t, 400, {}, folder)
  assert.deepEqual(await second.used(), [100, 100])
  await assert.rejects(second.client.complete({ messages, maxOutputTokens: 200 }), /200 of 400 are left/)
})
