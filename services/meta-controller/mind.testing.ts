import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { createClient } from '@connectrpc/connect'
import { Registry } from 'prom-client'
import { MetaControllerService } from '../gen/nexus/meta_controller/v1/meta_controller_service_pb.ts'
import { type Clock, systemClock } from '../platform/clock.ts'
import type { Journal } from '../platform/journal/journal.ts'
import { openJournal } from '../platform/journal/open.ts'
import { mount } from '../platform/service.ts'
import { silentLog, startTestServer } from '../platform/testing.ts'
import { createEvents } from './events.ts'
import { createExperienceStore } from './experience.ts'
import { Objectives } from './objectives.ts'
import { createSignals, startPeers, type World } from './peers.fixture.ts'
import { createProver, type Prover } from './proof/prover.ts'
import { createMetaController } from './service.ts'
import { Watchers } from './watchers.ts'

const observeSeconds = 20
/** One for all: it is real, and takes a second to start. */
const usualProver = createProver({ idleMs: 1000 })
/** Waiting costs nothing: a sleep ends at once, but yields, and the wall clock is the system's. */
export const impatientClock: Clock = {
  ...systemClock,
  sleep: async (_durationMs, signal) => {
    await new Promise((resolve) => setImmediate(resolve))
    signal?.throwIfAborted()
  },
}

export interface Running {
  readonly objectives: Objectives
  readonly registry: Registry
  readonly stop: () => Promise<void>
}

export async function newJournal(t: TestContext, clock: Clock = systemClock): Promise<Journal> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nexus-mind-'))
  const journal = await openJournal(`sqlite:${path.join(folder, 'journal.sqlite')}`, { clock })
  t.after(async () => {
    await journal.close()
    await rm(folder, { recursive: true })
  })
  return journal
}

export async function startMind(
  journal: Journal,
  world: World,
  clock: Clock = impatientClock,
  prover: Prover = usualProver,
): Promise<Running> {
  const registry = new Registry()
  const drain = new AbortController()
  const { peers, close } = await startPeers(world)
  const stageContext = {
    peers,
    prover,
    signals: createSignals(world),
    experiences: createExperienceStore(journal),
    clock,
    observeSeconds,
  }
  const parts = {
    journal,
    clock,
    events: createEvents(silentLog, registry),
    watchers: new Watchers(),
    stageContext,
  }
  const objectives = new Objectives(parts, drain.signal)
  await objectives.resume()
  const stop = async () => {
    drain.abort(new Error('the test stops'))
    await objectives.stopped()
    await close()
  }
  return { objectives, registry, stop }
}

/** A mind over a real socket, until the test ends. */
export async function serve(
  t: TestContext,
  world: World,
  { clock, prover }: { readonly clock?: Clock; readonly prover?: Prover } = {},
) {
  const journal = await newJournal(t, clock)
  const mind = await startMind(journal, world, clock, prover)
  const implementation = createMetaController({
    objectives: mind.objectives,
    targets: ['storefront'],
    defaultAutonomy: 'auto',
  })
  const server = await startTestServer([mount(MetaControllerService, implementation)])
  t.after(async () => {
    await mind.stop()
    await server.close()
  })
  return { client: createClient(MetaControllerService, server.transport), ...mind, journal }
}

/** What the objective's watcher saw until its end, and how it ended. */
export async function toTheEnd(
  client: Awaited<ReturnType<typeof serve>>['client'],
  objectiveId: string,
  onWatching: () => void = () => undefined,
) {
  const seen: { type: string; message: string }[] = []
  for await (const { event } of client.watchObjective({ objectiveId })) {
    onWatching()
    seen.push(event!)
  }
  const { objective } = await client.getObjective({ objectiveId })
  return { seen, objective: objective! }
}
