import type { Clock } from '../platform/clock.ts'
import { JournalUnavailableError } from '../platform/journal/journal.ts'
import type { ManifestRollout } from '../platform/target/manifest.ts'
import { TargetError } from '../platform/target/target-error.ts'
import type { Outcome } from './deployment.ts'
import { Evidence } from './evidence.ts'
import { beginJudge, beginStep, decide, type Judge, type Judgement, observe } from './judge/judge.ts'
import type { Exit } from './local/guard.ts'
import type { LocalTarget } from './local/target.ts'
import { describeExit, VersionError, versionOf } from './local/version.ts'
import { judgeBoundsMs } from './splitter/bounds.ts'
import type { SplitterCounts } from './splitter/control.ts'
import { SplitterError } from './splitter/splitter.ts'
import { isWarm, nextMove, type Standing } from './steps.ts'

/** The judge looks once a second; a slot is never shorter. */
const lookMs = 1_000
const defaultLatencyTolerance = 0.25

export interface RolloutOptions {
  readonly deploymentId: string
  readonly commit: string
  readonly target: LocalTarget
  /** Of the stable version's manifest. */
  readonly rollout: ManifestRollout
  /** Share of errors that a canary may have whatever stable has. */
  readonly allowedErrorShare: number
  readonly clock: Clock
  /** NEXUS ends: the rollout is left as it is, to be begun anew by the next start. */
  readonly signal: AbortSignal
  /** Someone asks to abort; its reason is a sentence. */
  readonly abort: AbortSignal
  /** Resolves when the step is journalled; only then does the traffic follow. */
  readonly onStep: (step: number, weight: number) => Promise<void>
  /** Told after every look. */
  readonly onLook: (judgement: Judgement, seconds: number) => void
}

/**
 * One attempt at a rollout: starts the canary, takes it through the steps, and ends with the traffic where the outcome says: all on the
 * canary, which is stable then, or all on stable. The canary's process is left to `target.dropCanary`.
 * Errors: the signal's reason, and what is wrong with NEXUS itself; the traffic is back on stable then too.
 */
export async function rollOut(options: RolloutOptions): Promise<Outcome> {
  const started = await startCanary(options)
  if ('state' in started) return started
  const run = new Run(options, started.ended)
  try {
    const outcome = await run.throughSteps()
    if (outcome.state !== 'promoted') await backOnStable(options.target)
    return outcome
  } catch (error) {
    await backOnStable(options.target)
    throw error
  } finally {
    run.stopListening()
  }
}

/** Should the splitter not answer, the target starts another, and that one begins without a canary once this one is dropped. */
async function backOnStable(target: LocalTarget): Promise<void> {
  await target.setCanaryPercent(0).catch(() => undefined)
}

async function startCanary(options: RolloutOptions): Promise<Outcome | { ended: Promise<Exit> }> {
  const { target, commit, signal, abort } = options
  try {
    const { exit } = await target.startCanary(commit, AbortSignal.any([signal, abort]))
    return { ended: exit }
  } catch (error) {
    signal.throwIfAborted()
    if (abort.aborted) return outcomeOf('aborted', abort.reason)
    const isExpected = error instanceof VersionError || error instanceof TargetError
    if (!isExpected) throw error
    return outcomeOf('failed', `the canary does not start: ${error.message}`)
  }
}

/** An outcome without evidence. */
export function outcomeOf(state: Outcome['state'], reason: unknown): Outcome {
  return { state, reason: String(reason), verdict: 'not enough evidence', findings: [], seconds: 0 }
}

class Run {
  readonly #options: RolloutOptions
  readonly #wake = new AbortController()
  readonly #wakeUp = () => this.#wake.abort()
  readonly #startMs: number
  #canaryExit: Exit | undefined
  #judge: Judge
  #evidence: Evidence | undefined
  #firstTrafficMs: number | undefined
  #step = 0
  #stepStartMs = 0
  #stepRequests = 0

  constructor(options: RolloutOptions, canaryEnded: Promise<Exit>) {
    this.#options = options
    this.#startMs = options.clock.monotonicMs()
    void canaryEnded.then((exit) => {
      this.#canaryExit = exit
      this.#wakeUp()
    })
    options.abort.addEventListener('abort', this.#wakeUp, { once: true })
    this.#judge = beginJudge({
      alpha: options.rollout.alpha,
      allowedErrorShare: options.allowedErrorShare,
      latencyTolerance: options.rollout.latencyTolerance ?? defaultLatencyTolerance,
      boundsMs: judgeBoundsMs,
    })
  }

  stopListening(): void {
    this.#options.abort.removeEventListener('abort', this.#wakeUp)
  }

  async throughSteps(): Promise<Outcome> {
    await this.#enterStep(0)
    for (;;) {
      await this.#pause()
      const judgement = await this.#look()
      const ended = this.#endedBy(judgement)
      if (ended) return ended
      const move = nextMove(this.#standing(judgement))
      if (move === 'advance') await this.#enterStep(this.#step + 1)
      else if (move === 'promote') {
        if (await this.#promote()) return this.#outcome('promoted', judgement, reasonToPromote(judgement))
      } else if (move === 'abort') return this.#outcome('aborted', judgement, reasonToAbort(judgement))
      else if (move === 'give up') {
        return this.#outcome('inconclusive', judgement, this.#reasonToGiveUp(judgement))
      }
    }
  }

  async #enterStep(step: number): Promise<void> {
    const { rollout, target, clock, onStep } = this.#options
    const { weight } = rollout.steps[step]!
    await onStep(step, weight)
    this.#step = step
    this.#stepRequests = 0
    this.#judge = beginStep(this.#judge)
    if (!this.#evidence) await this.#beginEvidence()
    this.#stepStartMs = clock.monotonicMs()
    await target.setCanaryPercent(weight)
  }

  /** Counting begins right before the canary's first request can come. */
  async #beginEvidence(): Promise<void> {
    const { target, commit } = this.#options
    const versions = { stable: versionOf(target.stableCommit), canary: versionOf(commit) }
    this.#evidence = new Evidence(versions, (await readCounts(target)) ?? {})
  }

  /** A second, or less when there is something to do. Errors: the signal's reason. */
  async #pause(): Promise<void> {
    const { clock, signal } = this.#options
    await clock.sleep(lookMs, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined)
    signal.throwIfAborted()
  }

  async #look(): Promise<Judgement> {
    const { target, clock, onLook } = this.#options
    const counts = await readCounts(target)
    // While stable is being started again there is nothing to compare with.
    if (counts && target.isStableRunning) this.#take(counts)
    const judgement = decide(this.#judge)
    onLook(judgement, this.#seconds(clock.monotonicMs()))
    return judgement
  }

  #take(counts: SplitterCounts): void {
    const { clock } = this.#options
    if (!this.#evidence) return
    const slot = this.#evidence.slotUntil(counts)
    if (this.#firstTrafficMs === undefined && slot.canary.requests === 0) return
    this.#firstTrafficMs ??= clock.monotonicMs()
    this.#stepRequests += slot.canary.requests
    this.#judge = observe(this.#judge, slot, isWarm(this.#standing()))
  }

  #endedBy(judgement: Judgement): Outcome | undefined {
    const { abort, commit } = this.#options
    if (abort.aborted) return this.#outcome('aborted', judgement, String(abort.reason))
    if (!this.#canaryExit) return undefined
    const words = `the canary (commit ${versionOf(commit)}) ${describeExit(this.#canaryExit)}`
    return this.#outcome('aborted', judgement, words)
  }

  /** Whether it is done: without its journal NEXUS does not promote, and asks again at the next look. */
  async #promote(): Promise<boolean> {
    try {
      await this.#options.target.promoteCanary(this.#options.deploymentId)
      return true
    } catch (error) {
      if (error instanceof JournalUnavailableError) return false
      throw error
    }
  }

  #standing(judgement: Judgement): Standing
  #standing(): Omit<Standing, 'judgement'>
  #standing(judgement?: Judgement): Standing | Omit<Standing, 'judgement'> {
    const { rollout, clock } = this.#options
    const nowMs = clock.monotonicMs()
    const rest = {
      step: this.#step,
      steps: rollout.steps,
      secondsSinceStart: (nowMs - this.#startMs) / 1000,
      secondsSinceFirstTraffic: this.#firstTrafficMs === undefined ? undefined : this.#seconds(nowMs),
      secondsInStep: (nowMs - this.#stepStartMs) / 1000,
      canaryRequestsInStep: this.#stepRequests,
      maxSeconds: rollout.maxSeconds,
    }
    return judgement ? { ...rest, judgement } : rest
  }

  #seconds(nowMs: number): number {
    return this.#firstTrafficMs === undefined ? 0 : (nowMs - this.#firstTrafficMs) / 1000
  }

  #outcome(state: Outcome['state'], judgement: Judgement, reason: string): Outcome {
    return { state, reason, ...judgement, seconds: this.#seconds(this.#options.clock.monotonicMs()) }
  }

  #reasonToGiveUp({ findings }: Judgement): string {
    const words = `not enough evidence in ${this.#options.rollout.maxSeconds} s`
    if (this.#firstTrafficMs === undefined) return `${words}: no request reached the canary`
    const open = findings.filter(({ name, isShownNotWorse }) => name !== 'refusals' && !isShownNotWorse)
    return `${words}: ${remarksOf(open.length > 0 ? open : findings)}`
  }
}

async function readCounts(target: LocalTarget): Promise<SplitterCounts | undefined> {
  try {
    return await target.read()
  } catch (error) {
    if (error instanceof SplitterError) return undefined
    throw error
  }
}

function reasonToPromote({ findings }: Judgement): string {
  return remarksOf(findings.filter(({ name }) => name !== 'refusals'))
}

function reasonToAbort({ findings }: Judgement): string {
  return remarksOf(findings.filter(({ isShownWorse }) => isShownWorse))
}

function remarksOf(findings: Judgement['findings']): string {
  return findings.map(({ remark }) => remark).join('; ')
}
