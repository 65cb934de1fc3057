import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../../platform/clock.ts'
import type { Journal } from '../../platform/journal/journal.ts'
import { prepareCheckout } from '../../platform/target/checkout.ts'
import { type Manifest, ManifestError } from '../../platform/target/manifest.ts'
import { TargetError } from '../../platform/target/target-error.ts'
import type { DeployerEvents } from '../events.ts'
import { History } from '../history.ts'
import type { PastArm } from '../judge/calibration.ts'
import type { SplitterCounts } from '../splitter/control.ts'
import { type Splitter, SplitterError, startSplitter } from '../splitter/splitter.ts'
import { readStable, type StableRecord, writeStable } from '../stable.ts'
import { type Exit, Guard } from './guard.ts'
import { lookAt } from './readiness.ts'
import { readSource, type Source } from './source.ts'
import type { LocalStatus } from './status.ts'
import { describeExit, type RunningVersion, startVersion, VersionError, versionOf } from './version.ts'
import { outputFile, removeOldVersions, versionFolder } from './version-folders.ts'

const firstRetryMs = 500
const maxRetryMs = 30_000
/** A version that ran so long has started well: the next retry begins with the shortest wait. */
const steadyMs = 60_000
const drainMs = 5_000
const drainPollMs = 100
const healthTimeoutMs = 500

export interface LocalTargetOptions {
  readonly name: string
  /** The user's repository. */
  readonly originPath: string
  /** NEXUS's data folder. */
  readonly dataFolder: string
  readonly port: number
  readonly metricsPort: number
  /** Put over the manifest's environment. */
  readonly targetEnvironment: Readonly<Record<string, string>>
  /** The process's environment: a package manager needs some of it, and programs are found by its PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly journal: Journal
  readonly clock: Clock
  readonly events: DeployerEvents
}

/** The target cannot take a deployment now; the message says why. */
export class NotReadyError extends Error {
  override readonly name = 'NotReadyError'
}

/**
 * One target under the local driver: its stable version, at most one canary, and the splitter in front of them.
 * States: starting (mirror, checkout, version, splitter; again and again with growing waits while that fails), ready, closed.
 * A stable version or a splitter that dies is started again, with growing waits. Traffic begins on stable alone.
 */
export class LocalTarget {
  readonly name: string
  readonly #options: LocalTargetOptions
  readonly #guard: Guard
  readonly #helperEnvironment: Readonly<Record<string, string>>
  readonly #closing = new AbortController()
  readonly #history = new History()
  #ports: { readonly port: number; readonly metricsPort: number }
  #source: Source | undefined
  #stable: RunningVersion | undefined
  #stableCommit = ''
  #canary: RunningVersion | undefined
  #canaryCommit = ''
  #canaryPercent = 0
  #retiringCommit = ''
  #splitter: Splitter | undefined
  #isUp = false
  #quickDeaths = 0
  #remark = 'it is being started'
  #waiters: (() => void)[] = []
  #work: Promise<unknown> = Promise.resolve()

  constructor(options: LocalTargetOptions) {
    this.#options = options
    this.name = options.name
    this.#ports = { port: options.port, metricsPort: options.metricsPort }
    // Node keeps what it compiled here: splitter and guardian start in half the time and with a quarter less memory.
    this.#helperEnvironment = { NODE_COMPILE_CACHE: path.join(options.dataFolder, 'compiled') }
    this.#guard = new Guard(this.#helperEnvironment)
  }

  /** Begins to bring the target up, in the background. */
  start(): void {
    this.#work = this.#bringUp()
    void this.#history.follow(() => this.read(), this.#options.clock, this.#closing.signal)
  }

  /** Ends everything that runs; idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(new NotReadyError('the deployer is ending'))
    this.#isUp = false
    await Promise.all([this.#splitter?.close(), this.#guard.close()])
    await this.#work.catch(() => undefined)
    // What was being started while this began.
    await Promise.all([this.#splitter?.close(), this.#guard.close()])
  }

  async status(): Promise<LocalStatus> {
    const problem = await this.#problem()
    return {
      stableCommit: this.#stableCommit,
      canaryCommit: this.#canaryCommit,
      canaryPercent: this.#canaryPercent,
      isReady: problem === undefined,
      remark: problem ?? this.#remark,
    }
  }

  /** Where its clients connect. */
  get address(): string {
    return `127.0.0.1:${this.#ports.port}`
  }

  get stableCommit(): string {
    return this.#stableCommit
  }

  get isStableRunning(): boolean {
    return this.#stable !== undefined
  }

  /** The mirror and the stable version's manifest. Errors: NotReadyError. */
  source(): Source {
    if (!this.#isUp || !this.#source)
      throw new NotReadyError(`the target ${this.name} is not ready: ${this.#remark}`)
    return this.#source
  }

  /** Waits until the target is up. Errors: NotReadyError when it is not within `timeoutMs`; the signal's reason. */
  async untilUp(timeoutMs: number, signal: AbortSignal): Promise<Source> {
    if (!this.#isUp) {
      const stop = new AbortController()
      const up = new Promise<void>((resolve) => this.#waiters.push(resolve))
      const late = this.#options.clock.sleep(timeoutMs, AbortSignal.any([signal, stop.signal]))
      await Promise.race([up, late]).finally(() => stop.abort())
    }
    return this.source()
  }

  /** The record of what is stable, as journalled. */
  stableRecord(): Promise<StableRecord | undefined> {
    return readStable(this.#options.journal, this.name)
  }

  /**
   * Checks the commit out and starts it; it gets no traffic yet. `exit` resolves when its process ends.
   * Errors: VersionError, TargetError when it cannot be started; the signal's reason.
   */
  async startCanary(commit: string, signal: AbortSignal): Promise<{ exit: Promise<Exit> }> {
    this.#canaryCommit = commit
    try {
      this.#canary = await this.#startCommit(commit, this.source(), signal)
      return { exit: this.#canary.ended }
    } catch (error) {
      this.#canaryCommit = ''
      throw error
    }
  }

  /** Puts the share of the traffic on the canary, in percent. Errors: SplitterError. */
  async setCanaryPercent(percent: number): Promise<void> {
    if (percent !== this.#canaryPercent) this.#options.events.weightSet(this.name, percent)
    this.#canaryPercent = percent
    await this.#route()
  }

  /** What the versions have answered. Errors: SplitterError. */
  async read(): Promise<SplitterCounts> {
    if (!this.#splitter) throw new SplitterError('the splitter is being started')
    return this.#splitter.read()
  }

  /** What the version of a commit has answered until now, oldest first. */
  pastOf(commit: string): readonly PastArm[] {
    return this.#history.of(versionOf(commit))
  }

  /** All traffic on stable at once, then ends the canary; idempotent, and in the end it is done whatever fails. */
  async dropCanary(): Promise<void> {
    const canary = this.#canary
    this.#canary = undefined
    this.#canaryCommit = ''
    await this.setCanaryPercent(0).catch(() => this.#splitter?.close())
    await canary?.stop()
    await this.#removeOld()
  }

  /** Makes the canary stable: journalled first, then the traffic moves, then the old stable drains and ends in the background. */
  async promoteCanary(deploymentId: string): Promise<void> {
    const canary = this.#canary
    if (!canary) throw new NotReadyError('there is no canary')
    await this.#succeed(canary, deploymentId)
  }

  /** Starts the version of a commit and makes it stable in the place of the one that is. Errors: VersionError, TargetError. */
  async returnTo(commit: string): Promise<void> {
    const version = await this.#startCommit(commit, this.source(), this.#closing.signal)
    await this.#succeed(version, '').catch(async (error) => {
      if (this.#stable !== version) await version.stop()
      throw error
    })
  }

  async #succeed(version: RunningVersion, deploymentId: string): Promise<void> {
    const old = this.#stable
    await writeStable(this.#options.journal, this.name, { commit: version.commit, deploymentId })
    this.#stable = version
    this.#stableCommit = version.commit
    this.#quickDeaths = 0
    this.#canary = undefined
    this.#canaryCommit = ''
    this.#superviseStable(version)
    await this.setCanaryPercent(0)
    if (!old) return
    this.#retiringCommit = old.commit
    this.#work = this.#work.then(() => this.#retire(old)).catch(() => undefined)
  }

  async #bringUp(): Promise<void> {
    const { events } = this.#options
    await this.#retrying(async () => {
      try {
        const source = await readSource(this.#options)
        await this.#removeOld(source.commit)
        this.#splitter ??= await this.#openSplitter(source.manifest)
        if (!this.#stable) await this.#startStable(source.commit, source)
        await writeStable(this.#options.journal, this.name, source.stable)
        this.#source = source
        this.#isUp = true
        this.#remark = source.remark
        events.targetReady(this.name, source.commit)
      } catch (error) {
        this.#notReady(error)
        throw error
      }
    })
    for (const wake of this.#waiters.splice(0)) wake()
  }

  async #startCommit(commit: string, source: Source, signal: AbortSignal): Promise<RunningVersion> {
    const { name, dataFolder, clock, environment, targetEnvironment } = this.#options
    const folder = versionFolder(dataFolder, name, commit)
    await mkdir(path.dirname(folder), { recursive: true })
    await prepareCheckout({
      ...source,
      commit,
      folder,
      dependenciesStore: path.join(dataFolder, 'dependencies'),
      signal,
      environment,
    })
    signal.throwIfAborted()
    return startVersion({
      guard: this.#guard,
      clock,
      commit,
      folder,
      manifest: source.manifest,
      targetEnvironment,
      path: environment.PATH,
      outputFile: outputFile(dataFolder, name, commit),
      signal: AbortSignal.any([signal, this.#closing.signal]),
    })
  }

  async #openSplitter(manifest: Manifest): Promise<Splitter> {
    const settings = { service: manifest.services[0]!.name, ...this.#ports }
    const splitter = await startSplitter(settings, this.#helperEnvironment)
    // Ports that were free ones stay what they are when the splitter has to be started again.
    this.#ports = { port: splitter.port, metricsPort: splitter.metricsPort }
    void splitter.ended.then(() => {
      if (this.#splitter !== splitter) return
      this.#splitter = undefined
      if (this.#closing.signal.aborted) return
      this.#options.events.splitterDied(this.name)
      void this.#retrying(() => this.#reopenSplitter(manifest))
    })
    return splitter
  }

  async #reopenSplitter(manifest: Manifest): Promise<void> {
    try {
      this.#splitter = await this.#openSplitter(manifest)
      await this.#route()
      this.#remark = ''
    } catch (error) {
      this.#remark = `the splitter cannot be started again: ${messageOf(error)}`
      throw error
    }
  }

  async #startStable(commit: string, source: Source): Promise<void> {
    const version = await this.#startCommit(commit, source, this.#closing.signal)
    this.#stable = version
    this.#stableCommit = commit
    this.#superviseStable(version)
    await this.#route()
  }

  #superviseStable(version: RunningVersion): void {
    const startedMs = this.#options.clock.monotonicMs()
    void version.ended.then(async (exit) => {
      if (this.#stable !== version || this.#closing.signal.aborted) return
      this.#stable = undefined
      this.#remark = `stable ${describeExit(exit)}; it is being started again`
      this.#options.events.stableDied(this.name, version.commit, describeExit(exit))
      if (this.#options.clock.monotonicMs() - startedMs >= steadyMs) this.#quickDeaths = 0
      const waitMs = Math.min(maxRetryMs, firstRetryMs * 2 ** this.#quickDeaths++)
      await this.#retrying(() => this.#restartStable(version.commit), waitMs)
    })
  }

  async #restartStable(commit: string): Promise<void> {
    // A canary may have been promoted meanwhile.
    if (this.#stable) return
    try {
      await this.#startStable(commit, this.source())
      this.#remark = ''
    } catch (error) {
      this.#remark = `stable cannot be started again: ${messageOf(error)}`
      throw error
    }
  }

  /** Runs `attempt` until it succeeds or the target closes, waiting longer each time. */
  async #retrying(attempt: () => Promise<void>, firstWaitMs = 0): Promise<void> {
    const { signal } = this.#closing
    for (
      let waitMs = firstWaitMs;
      !signal.aborted;
      waitMs = Math.min(maxRetryMs, waitMs * 2 || firstRetryMs)
    ) {
      try {
        if (waitMs > 0) await this.#options.clock.sleep(waitMs, signal)
        await attempt()
        return
      } catch {
        // The attempt has said in the remark and the log what went wrong.
      }
    }
  }

  async #route(): Promise<void> {
    const [stable, canary] = [this.#stable, this.#canary]
    await this.#splitter?.route({
      stable: stable && { version: stable.version, port: stable.port },
      canary: canary && { version: canary.version, port: canary.port },
      canaryPercent: canary ? this.#canaryPercent : 0,
    })
  }

  /** Lets a version that gets no more requests finish those that it has, then ends it. */
  async #retire(version: RunningVersion): Promise<void> {
    const { clock } = this.#options
    const endMs = clock.monotonicMs() + drainMs
    while (clock.monotonicMs() < endMs && !this.#closing.signal.aborted) {
      const counts = await this.read().catch(() => ({}) as SplitterCounts)
      if ((counts[version.version]?.inFlight ?? 0) === 0) break
      await clock.sleep(drainPollMs, this.#closing.signal)
    }
    await version.stop()
    this.#retiringCommit = ''
    await this.#removeOld()
  }

  #removeOld(stableCommit = this.#stableCommit): Promise<void> {
    const { dataFolder, name } = this.#options
    const keep = [stableCommit, this.#canaryCommit, this.#retiringCommit].filter((commit) => commit !== '')
    return removeOldVersions({ dataFolder, target: name, keep })
  }

  async #problem(): Promise<string | undefined> {
    if (!this.#isUp || !this.#stable || !this.#splitter || !this.#source) {
      return this.#remark || 'its splitter is being started again'
    }
    const { health } = this.#source.manifest.services[0]!
    return lookAt(this.#stable.port, health, healthTimeoutMs)
  }

  #notReady(error: unknown): void {
    this.#remark = messageOf(error)
    if (!this.#closing.signal.aborted) this.#options.events.targetNotReady(this.name, error)
  }
}

function messageOf(error: unknown): string {
  const isExpected = [TargetError, ManifestError, VersionError, SplitterError].some(
    (kind) => error instanceof kind,
  )
  return isExpected ? (error as Error).message : `it cannot be started: ${(error as Error).message}`
}
