import type { KeyObject } from 'node:crypto'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from '../platform/clock.ts'
import { detached } from '../platform/grpc/call-context.ts'
import type { Journal } from '../platform/journal/journal.ts'
import { JournalConflictError } from '../platform/journal/journal.ts'
import { allowedErrorShare } from './allowed-errors.ts'
import { authorize } from './authorize.ts'
import {
  type Deployment,
  deploymentId,
  isEnded,
  maxAttempts,
  next,
  type Outcome,
  replay,
  streamOf,
} from './deployment.ts'
import { EventStream } from './event-stream.ts'
import type { DeployerEvents } from './events.ts'
import type { Source } from './local/source.ts'
import { type LocalTarget, NotReadyError } from './local/target.ts'
import { outcomeOf, rollOut } from './rollout.ts'

/** A target that is down gets so long to come up before a deployment that waits for it fails. */
const upTimeoutMs = 120_000
/** Ended deployments that are kept at hand; older ones are read from the journal when asked for. */
const maxEndedAtHand = 1_000
/** Something that is wrong with NEXUS itself is tried again after so long, as a restart would. */
const retryMs = 1_000

export interface DeploymentsOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly events: DeployerEvents
  readonly targets: ReadonlyMap<string, LocalTarget>
  /** The governor's. */
  readonly publicKeys: readonly KeyObject[]
  /** NEXUS ends. */
  readonly signal: AbortSignal
}

export interface DeploymentRequest {
  readonly changeId: string
  readonly objectiveId: string
  readonly target: string
  readonly commit: string
  /** The warrant; empty when there is none. */
  readonly envelope: string
}

/** A deployment at hand: what it is now, who waits for its next change, and how it is aborted. */
interface Live {
  deployment: Deployment
  readonly stream: EventStream
  readonly abort: AbortController
  wake: () => void
  changed: Promise<void>
}

/** All deployments of this deployer: begun, resumed after a restart, watched, aborted. At most one of each target is under way. */
export class Deployments {
  readonly #options: DeploymentsOptions
  readonly #live = new Map<string, Live>()
  /** Targets with a deployment under way, its canary not yet gone. */
  readonly #busy = new Map<string, string>()
  readonly #running = new Set<Promise<void>>()

  constructor(options: DeploymentsOptions) {
    this.#options = options
  }

  /** Reads the journal and goes on with what was interrupted. Errors: the journal's. */
  async resume(): Promise<void> {
    const { journal, targets, events } = this.#options
    for (const stream of await journal.streams('deployment/')) {
      const recorded = await journal.read(stream)
      const deployment = replay(recorded)
      if (!deployment) continue
      const live = this.#keep(deployment, recorded.length)
      if (isEnded(deployment)) continue
      events.deploymentResumed(deployment)
      const target = targets.get(deployment.target)
      if (target) this.#run(live, target)
      else {
        const reason = `${deployment.target} is no longer one of the targets: see NEXUS_TARGETS`
        await this.#record(live, 'ended', outcomeOf('failed', reason))
      }
    }
  }

  /** Resolves when what was under way has let go, after the signal. */
  async close(): Promise<void> {
    await Promise.all(this.#running)
  }

  /** Begins a deployment, or gives the one there is of this change and commit. Errors: ConnectError. */
  async start(request: DeploymentRequest): Promise<Deployment> {
    const target = this.#options.targets.get(request.target)
    if (!target) {
      const names = [...this.#options.targets.keys()].join(', ')
      throw new ConnectError(
        `target ${request.target} is not one of ${names}: see NEXUS_TARGETS`,
        Code.NotFound,
      )
    }
    const id = deploymentId(request.changeId, request.commit)
    const known = await this.get(id)
    const { repository, manifest } = target.source()
    // One that has begun was permitted then; the end of its warrant meanwhile does not unmake it.
    const nowMs = known?.createdAtMs ?? this.#options.clock.nowMs()
    const { publicKeys, events } = this.#options
    const answer = await authorize(request, { repository, publicKeys, nowMs })
    if (!answer.ok) {
      events.warrantRefused(request.changeId, answer.reason)
      throw new ConnectError(`the warrant is refused: ${answer.reason}`, Code.PermissionDenied)
    }
    if (known) return known
    await refuseUnrelated(target, request.commit)
    return this.#begin(request, target, manifest.rollout.steps)
  }

  /** A deployment, or undefined. Errors: the journal's. */
  async get(id: string): Promise<Deployment | undefined> {
    const live = this.#live.get(id)
    if (live) return live.deployment
    return replay(await this.#options.journal.read(streamOf(id)))
  }

  /** The newest first. */
  list(limit: number): Deployment[] {
    const all = [...this.#live.values()].map(({ deployment }) => deployment)
    return all.toSorted((a, b) => b.createdAtMs - a.createdAtMs).slice(0, limit)
  }

  /** The deployment now and after each change, until it has ended. A slow reader misses what lay between. Errors: ConnectError. */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<Deployment> {
    const live = this.#live.get(id)
    if (!live) {
      yield orNotFound(await this.get(id), id)
      return
    }
    const gone = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    for (;;) {
      const { deployment, changed } = live
      yield deployment
      if (isEnded(deployment)) return
      await Promise.race([changed, gone])
      signal.throwIfAborted()
    }
  }

  /** Puts all traffic back on stable and waits for the end; one that has ended stays as it is. Errors: ConnectError. */
  async abort(id: string, reason: string, signal: AbortSignal): Promise<Deployment> {
    const live = this.#live.get(id)
    if (live && !isEnded(live.deployment)) {
      live.abort.abort(reason === '' ? 'aborted on request' : `aborted on request: ${reason}`)
      for await (const deployment of this.watch(id, signal)) if (isEnded(deployment)) return deployment
    }
    return orNotFound(await this.get(id), id)
  }

  /** Makes what was stable before a promoted deployment stable again. Errors: ConnectError, VersionError, NotReadyError. */
  async retract(id: string, reason: string): Promise<Deployment> {
    const live = this.#live.get(id)
    const deployment = orNotFound(live?.deployment ?? (await this.get(id)), id)
    if (deployment.state === 'retracted') return deployment
    const { target: name, stableCommit } = deployment
    const target = this.#options.targets.get(name)
    const problem = await this.#problemToRetract(deployment, target)
    if (!live || !target || problem !== undefined) {
      throw new ConnectError(
        problem ?? `deployment ${id} is too old to be taken back`,
        Code.FailedPrecondition,
      )
    }
    this.#busy.set(name, id)
    try {
      await target.returnTo(stableCommit)
      await this.#record(live, 'retracted', { reason: `taken back: ${reason}` })
      this.#options.events.deploymentRetracted(live.deployment)
      return live.deployment
    } finally {
      this.#busy.delete(name)
    }
  }

  async #problemToRetract(
    { id, state, target: name }: Deployment,
    target: LocalTarget | undefined,
  ): Promise<string | undefined> {
    if (state !== 'promoted') return `deployment ${id} is ${state}, not promoted`
    const other = this.#busy.get(name)
    if (other !== undefined)
      return `deployment ${other} of ${name} is under way: wait for its end or abort it`
    const record = await target?.stableRecord()
    if (record?.deploymentId === id) return undefined
    return `deployment ${id} is no longer what is stable on ${name}`
  }

  async #begin(
    request: DeploymentRequest,
    target: LocalTarget,
    steps: Deployment['steps'],
  ): Promise<Deployment> {
    const { changeId, objectiveId, commit } = request
    const id = deploymentId(changeId, commit)
    const other = this.#busy.get(target.name)
    if (other !== undefined && other !== id) {
      throw new ConnectError(
        `deployment ${other} of ${target.name} is under way: wait for its end or abort it`,
        Code.FailedPrecondition,
      )
    }
    // Taken before anything is awaited, so that of two calls at once the second sees it.
    this.#busy.set(target.name, id)
    try {
      const { stableCommit } = target
      const data = { id, changeId, objectiveId, target: target.name, commit, stableCommit, steps }
      const [event] = await this.#options.journal.append(streamOf(id), 0, [{ type: 'begun', data }])
      const live = this.#keep(next(undefined, event!)!, 1)
      this.#options.events.deploymentBegan(live.deployment)
      this.#run(live, target)
      return live.deployment
    } catch (error) {
      // The same call twice at once: the first has begun it.
      if (error instanceof JournalConflictError) return orNotFound(await this.get(id), id)
      this.#busy.delete(target.name)
      throw error
    }
  }

  #keep(deployment: Deployment, sequence: number): Live {
    const { journal, clock, events } = this.#options
    const stream = new EventStream({
      journal,
      clock,
      stream: streamOf(deployment.id),
      sequence,
      onAway: events.journalAway,
    })
    const live: Live = {
      deployment,
      stream,
      abort: new AbortController(),
      wake: () => undefined,
      changed: Promise.resolve(),
    }
    live.changed = new Promise((resolve) => {
      live.wake = resolve
    })
    this.#live.set(deployment.id, live)
    this.#forgetOldest()
    return live
  }

  #forgetOldest(): void {
    if (this.#live.size <= maxEndedAtHand) return
    for (const [id, { deployment }] of this.#live) {
      if (!isEnded(deployment)) continue
      this.#live.delete(id)
      return
    }
  }

  #run(live: Live, target: LocalTarget): void {
    this.#busy.set(target.name, live.deployment.id)
    const work = detached(() => this.#toItsEnd(live, target))
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }

  /** Attempt after attempt until it has ended; a fault of NEXUS's own is an interruption, as a restart would be. */
  async #toItsEnd(live: Live, target: LocalTarget): Promise<void> {
    const { signal, clock, events } = this.#options
    while (!signal.aborted && !isEnded(live.deployment)) {
      try {
        const outcome = await this.#attempt(live, target)
        await this.#record(live, 'ended', outcome)
        events.deploymentEnded(live.deployment)
      } catch (error) {
        if (signal.aborted) break
        events.deploymentInterrupted(live.deployment, error)
        await clock.sleep(retryMs, signal).catch(() => undefined)
      }
      await target.dropCanary().catch(() => undefined)
    }
    this.#busy.delete(target.name)
  }

  async #attempt(live: Live, target: LocalTarget): Promise<Outcome> {
    const { signal, clock } = this.#options
    const { id, commit, attempts } = live.deployment
    const record = await target.stableRecord()
    if (record?.deploymentId === id && record.commit === commit) {
      return outcomeOf('promoted', 'the canary had been promoted when NEXUS was interrupted')
    }
    if (live.abort.signal.aborted) return outcomeOf('aborted', live.abort.signal.reason)
    if (attempts >= maxAttempts) return outcomeOf('failed', `it was interrupted ${attempts} times`)
    await this.#record(live, 'attempted', { attempt: attempts + 1 })
    const source = await untilUp(target, signal)
    if (source instanceof NotReadyError) return outcomeOf('failed', source.message)
    const { manifest, repository } = source
    if (!(await repository.contains(commit, target.stableCommit))) {
      return outcomeOf(
        'failed',
        `stable has moved on to ${target.stableCommit}, which the change is not made on`,
      )
    }
    return rollOut({
      deploymentId: id,
      commit,
      target,
      rollout: { ...manifest.rollout, steps: live.deployment.steps },
      allowedErrorShare: allowedErrorShare(manifest),
      clock,
      signal,
      abort: live.abort.signal,
      onStep: async (step, weight) => {
        await this.#record(live, 'stepped', { step, weight })
      },
      onWatch: async () => {
        await this.#record(live, 'watching', {})
      },
      onLook: ({ verdict, findings }, { seconds, trafficBeganAtMs, calibration }) =>
        this.#change(live, {
          ...live.deployment,
          ...{ verdict, findings, seconds, trafficBeganAtMs, calibration },
        }),
    })
  }

  async #record(live: Live, type: string, data: object): Promise<void> {
    const event = await live.stream.append({ type, data }, this.#options.signal)
    this.#change(live, next(live.deployment, event)!)
  }

  #change(live: Live, deployment: Deployment): void {
    live.deployment = deployment
    const { wake } = live
    live.changed = new Promise((resolve) => {
      live.wake = resolve
    })
    wake()
  }
}

/** The target's source, or why it did not come up in time. Errors: the signal's reason. */
async function untilUp(target: LocalTarget, signal: AbortSignal): Promise<Source | NotReadyError> {
  try {
    return await target.untilUp(upTimeoutMs, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof NotReadyError) return error
    throw error
  }
}

/** A canary is compared with stable, so it has to be made on it; commits that came between are tried together with it. */
async function refuseUnrelated(target: LocalTarget, commit: string): Promise<void> {
  const { stableCommit } = target
  if (commit === stableCommit) {
    throw new ConnectError(`commit ${commit} is stable already`, Code.FailedPrecondition)
  }
  if (await target.source().repository.contains(commit, stableCommit)) return
  throw new ConnectError(
    `commit ${commit} is not made on the stable commit ${stableCommit}: propose the change anew`,
    Code.FailedPrecondition,
  )
}

/** Errors: ConnectError `not_found`. */
export function orNotFound(deployment: Deployment | undefined, id: string): Deployment {
  if (deployment) return deployment
  throw new ConnectError(`there is no deployment ${id}`, Code.NotFound)
}
