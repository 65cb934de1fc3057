import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { Code, createClient } from '@connectrpc/connect'
import { ChangeState } from '../gen/nexus/code_modifier/v1/change_pb.ts'
import { ExecutionSandboxService } from '../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { eventually } from '../platform/eventually.testing.ts'
import { createGrpcTransport } from '../platform/grpc/channel.ts'
import { freePorts } from '../platform/testing.ts'
import { failsWith } from './changes.testing.ts'
import {
  better,
  neverAsked,
  nothingLeft,
  once,
  propose,
  type Recipe,
  sandboxClient,
  startWorld,
  timeout,
  useSandbox,
  worktrees,
} from './propose.testing.ts'

useSandbox()

/** A recipe that waits until it is told to go on, or is aborted; then it ends when it may. */
function waitingRecipe() {
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  const recipe: Recipe = async (input, run, signal) => {
    begun.resolve()
    signal.addEventListener('abort', () => aborted.resolve(), { once: true })
    await Promise.race([goOn.promise, aborted.promise])
    if (!signal.aborted) return once(better)(input, run, signal)
    await end.promise
    throw signal.reason
  }
  return {
    recipe,
    begun: begun.promise,
    aborted: aborted.promise,
    goOn: goOn.resolve,
    end: end.resolve,
  }
}

test('two callers join one proposal, and the one that stays gets it though the first has gone', {
  timeout,
}, async (t) => {
  const { recipe, begun, goOn } = waitingRecipe()
  const world = await startWorld(t, { recipe })
  const first = new AbortController()
  const gone = propose(world.client, first.signal)
  await begun
  const second = propose(world.client)
  const third = propose(world.client)
  await eventually('all three have come', () => world.syncs() === 3)
  first.abort()
  await assert.rejects(gone)
  goOn()
  const [one, other] = await Promise.all([second, third])
  assert.deepEqual(one.change, other.change)
  assert.equal(one.change.refusal, '')
  assert.equal(world.runs(), 2, 'the recipe and its second run')
})

test('a proposal that nobody waits for is given up and cleared away; asked again, it is made', {
  timeout,
}, async (t) => {
  const waiting = waitingRecipe()
  const world = await startWorld(t, { recipe: waiting.recipe })
  const caller = new AbortController()
  const gone = propose(world.client, caller.signal)
  await waiting.begun
  assert.ok((await worktrees(world)).length > 0)
  caller.abort()
  await assert.rejects(gone)
  await waiting.aborted
  waiting.goOn()
  // At once, while the one that was given up is still at work in the same folders.
  const again = propose(world.client)
  await eventually('it is asked again', () => world.syncs() === 2)
  waiting.end()
  const { change } = await again
  assert.equal(change.refusal, '')
  assert.equal(change.state, ChangeState.PROPOSED)
  await nothingLeft(world)
})

test('a caller that goes while the tests run ends them, and their folders are gone', {
  timeout,
}, async (t) => {
  const signals: AbortSignal[] = []
  const watched: ReturnType<typeof sandboxClient> = {
    ...sandboxClient(),
    execute: (request, options) => {
      if (options?.signal) signals.push(options.signal)
      return sandboxClient().execute(request, options)
    },
  }
  const files = { 'test.ts': 'setInterval(() => console.log("testing"), 50)\n' }
  const world = await startWorld(t, { files, recipe: neverAsked, parts: { sandbox: watched } })
  const caller = new AbortController()
  const gone = propose(world.client, caller.signal)
  await eventually('the tests run', () => signals.length > 0, 60_000)
  caller.abort()
  await assert.rejects(gone)
  await eventually('the folders are gone', async () => (await worktrees(world)).length === 0, 60_000)
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true],
  )
  assert.deepEqual(await world.journal.streams('change/'), [])
})

test('a proposal that the process’s end cuts off can be asked for again of the next process', {
  timeout,
}, async (t) => {
  const drain = new AbortController()
  const waiting = waitingRecipe()
  const world = await startWorld(t, { recipe: waiting.recipe, parts: { drain: drain.signal } })
  const asked = propose(world.client)
  const told = assert.rejects(asked, failsWith(Code.Unavailable, /NEXUS is stopping/))
  await waiting.begun
  drain.abort(new Error('the process drains'))
  waiting.end()
  await told
  assert.deepEqual(await worktrees(world), [])
  assert.deepEqual(await world.journal.streams('change/'), [])
})

test('a sandbox that is away is no refusal: the call may be made again', { timeout }, async (t) => {
  const [port = 0] = await freePorts(1)
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}` })
  t.after(() => transport.close())
  const away = createClient(ExecutionSandboxService, transport)
  const world = await startWorld(t, { recipe: once(better), parts: { sandbox: away } })
  await assert.rejects(propose(world.client), failsWith(Code.Unavailable, /did not answer/))
  assert.deepEqual(await world.journal.streams('change/'), [])
  await nothingLeft(world)
})

test('what a killed process left is removed at the start, and nothing else', async (t) => {
  const world = await startWorld(t, { recipe: neverAsked })
  const folders = [
    'worktrees/c-1-base/src',
    'worktrees/c-1-change.tmp-0123456789ab',
    'worktrees/c-1-profiles',
    'repositories/shop.git.tmp-0123456789ab/objects',
    'dependencies/abc.tmp-0123456789ab',
    'dependencies/abc.tmp-0123456789ab-kept',
    'dependencies/abc/node_modules',
  ]
  for (const folder of folders) await mkdir(path.join(world.dataFolder, folder), { recursive: true })
  await writeFile(path.join(world.dataFolder, 'worktrees', 'c-1-base', 'src', 'a.ts'), '')
  await world.changesOn(world.journal).cleanUp()
  const left = async (folder: string) => await readdir(path.join(world.dataFolder, folder))
  assert.deepEqual(await left('worktrees'), [])
  assert.deepEqual(await left('repositories'), ['shop.git'])
  assert.deepEqual(await left('dependencies'), ['abc'])
})
