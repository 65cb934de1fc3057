import type { Clock } from '../platform/clock.ts'
import { JournalUnavailableError } from '../platform/journal/journal.ts'
import type { ManifestRollout } from '../platform/target/manifest.ts'
import { TargetError } from '../platform/target/target-error.ts'
import { Comparison } from './comparison.ts'
import type { CalibrationSummary, Outcome } from './deployment.ts'
import { Evidence } from './evidence.ts'
import { type Calibration, calibrateJudge } from './judge/calibration.ts'
import { suspicionLog10 } from './judge/finding.ts'
import {
  beginJudge,
  beginStep,
  decide,
  isNeeded,
  type Judge,
  type Judgement,
  observe,
  recalibrate,
  stableSoFar,
} from './judge/judge.ts'
import type { Slot } from './judge/slot.ts'
import { type Alarm, alarmsOf, beginWatch, observeWatch, type Watch } from './judge/watch.ts'
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
/** Less of stable's past tells nothing of bursts; from so much on, more of it is not waited for. */
const leastPastSeconds = 60
const enoughPastSeconds = 1_800

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
  /** Resolves when it is journalled that the canary is to have all the traffic, and be watched. */
  readonly onWatch: () => Promise<void>
  /** Told after every look. */
  readonly onLook: (judgement: Judgement, progress: Progress) => void
}

/** What is told beside the judgement. */
export type Progress = Pick<Outcome, 'seconds' | 'trafficBeganAtMs' | 'calibration'>

/**
 * One attempt at a rollout: starts the canary, takes it through the steps, watches it with all the traffic, and ends with the traffic where the outcome says: all on the
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
  return {
    state,
    reason: String(reason),
    verdict: 'not enough evidence',
    findings: [],
    seconds: 0,
    slots: [],
  }
}

class Run {
  readonly #options: RolloutOptions
  readonly #wake = new AbortController()
  readonly #wakeUp = () => this.#wake.abort()
  readonly #startMs: number
  readonly #comparison = new Comparison()
  /** As it was before the canary had traffic. */
  readonly #calibration: Calibration
  #calibratedSeconds: number
  readonly #tolerance: number
  #canaryExit: Exit | undefined
  #judge: Judge
  #evidence: Evidence | undefined
  #lastReadMs = 0
  #firstTraffic: { readonly monotonicMs: number; readonly atMs: number } | undefined
  #step = 0
  #stepStartMs = 0
  #stepRequests = 0
  #canaryRequests = 0

  constructor(options: RolloutOptions, canaryEnded: Promise<Exit>) {
    this.#options = options
    const { clock, rollout, target } = options
    this.#startMs = clock.monotonicMs()
    void canaryEnded.then((exit) => {
      this.#canaryExit = exit
      this.#wakeUp()
    })
    options.abort.addEventListener('abort', this.#wakeUp, { once: true })
    this.#calibration = calibrateJudge(target.pastOf(target.stableCommit), judgeBoundsMs)
    this.#calibratedSeconds = this.#calibration.seconds
    this.#tolerance = rollout.latencyTolerance ?? defaultLatencyTolerance
    this.#judge = beginJudge({
      alpha: rollout.alpha,
      allowedErrorShare: options.allowedErrorShare,
      latencyTolerance: this.#tolerance,
      boundsMs: judgeBoundsMs,
      calibration: this.#calibration,
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
      else if (move === 'promote') return this.#atFullTraffic(judgement)
      else if (move === 'abort') return this.#outcome('aborted', judgement, reasonToAbort(judgement))
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
    const { target, commit, clock } = this.#options
    const versions = { stable: versionOf(target.stableCommit), canary: versionOf(commit) }
    this.#evidence = new Evidence(versions, (await readCounts(target)) ?? {})
    this.#lastReadMs = clock.monotonicMs()
  }

  /** A second, or less when there is something to do. Errors: the signal's reason. */
  async #pause(): Promise<void> {
    const { clock, signal } = this.#options
    await clock.sleep(lookMs, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined)
    signal.throwIfAborted()
  }

  async #look(): Promise<Judgement> {
    const { target, onLook } = this.#options
    const slot = await this.#nextSlot()
    // While stable is being started again there is nothing to compare with.
    if (slot && target.isStableRunning) this.#take(slot)
    const judgement = decide(this.#judge)
    onLook(judgement, this.#progress())
    return judgement
  }

  /** What came since the last look; undefined while the splitter does not answer, and before the canary's first request. */
  async #nextSlot(): Promise<Required<Slot> | undefined> {
    const { target, clock } = this.#options
    const counts = await readCounts(target)
    if (!counts || !this.#evidence) return undefined
    const nowMs = clock.monotonicMs()
    const seconds = (nowMs - this.#lastReadMs) / 1000
    this.#lastReadMs = nowMs
    const slot = this.#evidence.slotUntil(counts)
    if (!this.#firstTraffic && slot.canary.requests === 0) return undefined
    this.#firstTraffic ??= { monotonicMs: nowMs, atMs: clock.nowMs() }
    return { ...slot, seconds }
  }

  #take(slot: Required<Slot>): void {
    this.#stepRequests += slot.canary.requests
    this.#canaryRequests += slot.canary.requests
    this.#compare(slot, this.#options.rollout.steps[this.#step]!.weight)
    this.#judge = observe(this.#judge, slot, isWarm(this.#standing()))
    this.#recalibrate()
  }

  /** When stable's past has doubled since the last time, until there is enough of it. */
  #recalibrate(): void {
    const { target } = this.#options
    const past = target.pastOf(target.stableCommit)
    const seconds = past.reduce((sum, slot) => sum + slot.seconds, 0)
    const isDue = seconds >= Math.max(leastPastSeconds, 2 * this.#calibratedSeconds)
    if (!isDue || this.#calibratedSeconds >= enoughPastSeconds) return
    this.#calibratedSeconds = seconds
    this.#judge = recalibrate(this.#judge, calibrateJudge(past, judgeBoundsMs))
  }

  #compare(slot: Required<Slot>, weight: number): void {
    const startSeconds = Math.max(0, this.#seconds() - slot.seconds)
    this.#comparison.add({ ...slot, startSeconds, weight })
  }

  #endedBy(judgement: Judgement): Outcome | undefined {
    const { abort, commit } = this.#options
    if (abort.aborted) return this.#outcome('aborted', judgement, String(abort.reason))
    if (!this.#canaryExit) return undefined
    const words = `the canary (commit ${versionOf(commit)}) ${describeExit(this.#canaryExit)}`
    return this.#outcome('aborted', judgement, words)
  }

  /** The canary has won: it gets all the traffic and is watched, with stable ready to take it back; then it is stable. */
  async #atFullTraffic(judgement: Judgement): Promise<Outcome> {
    const { rollout, target, clock, onWatch, onLook } = this.#options
    let watch = this.#beginWatch()
    if (rollout.watchSeconds > 0) {
      await onWatch()
      await target.setCanaryPercent(100)
    }
    const endMs = clock.monotonicMs() + 1000 * rollout.watchSeconds
    for (;;) {
      if (clock.monotonicMs() >= endMs && (await this.#promote())) {
        return this.#outcome('promoted', judgement, reasonToPromote(judgement))
      }
      await this.#pause()
      const slot = await this.#nextSlot()
      if (slot) {
        this.#compare(slot, 100)
        watch = observeWatch(watch, slot.canary, slot.seconds)
      }
      const alarms = alarmsOf(watch)
      const judged = withAlarms(judgement, alarms)
      onLook(judged, this.#progress())
      const ended = this.#endedBy(judged)
      if (ended) return ended
      if (alarms.length > 0) {
        return this.#outcome('aborted', judged, alarms.map(({ remark }) => remark).join('; '))
      }
    }
  }

  #beginWatch(): Watch {
    const { rollout } = this.#options
    const looks = Math.ceil((1000 * rollout.watchSeconds) / lookMs)
    const options = { alpha: rollout.alpha, looks, latencyTolerance: this.#tolerance }
    const { burstiness } = this.#calibration
    return beginWatch(options, { alone: this.#calibration, lately: stableSoFar(this.#judge), burstiness })
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
      secondsSinceFirstTraffic: this.#firstTraffic && this.#seconds(),
      secondsInStep: (nowMs - this.#stepStartMs) / 1000,
      canaryRequestsInStep: this.#stepRequests,
      canaryRequests: this.#canaryRequests,
      maxSeconds: rollout.maxSeconds,
    }
    return judgement ? { ...rest, judgement } : rest
  }

  /** Since the canary's first traffic. */
  #seconds(): number {
    if (!this.#firstTraffic) return 0
    return (this.#options.clock.monotonicMs() - this.#firstTraffic.monotonicMs) / 1000
  }

  #progress(): Progress {
    const calibration = summaryOf(this.#calibration)
    return { seconds: this.#seconds(), trafficBeganAtMs: this.#firstTraffic?.atMs, calibration }
  }

  #outcome(state: Outcome['state'], judgement: Judgement, reason: string): Outcome {
    return { state, reason, ...judgement, ...this.#progress(), slots: this.#comparison.slots() }
  }

  #reasonToGiveUp({ findings }: Judgement): string {
    const words = `not enough evidence in ${this.#options.rollout.maxSeconds} s`
    if (!this.#firstTraffic) return `${words}: no request reached the canary`
    const open = findings.filter(({ name, isShownNotWorse }) => isNeeded(name) && !isShownNotWorse)
    return `${words}: ${remarksOf(open.length > 0 ? open : findings)}`
  }
}

/** The judgement with what the watch has found since. */
function withAlarms(judgement: Judgement, alarms: readonly Alarm[]): Judgement {
  if (alarms.length === 0) return judgement
  const findings = judgement.findings.map((finding) => {
    const alarm = alarms.find(({ name }) => name === finding.name)
    return alarm ? { ...finding, ...alarm, isShownWorse: true, isShownNotWorse: false } : finding
  })
  return { verdict: 'worse', findings }
}

function summaryOf({ seconds, burstiness }: Calibration): CalibrationSummary {
  return {
    historySeconds: seconds,
    burstiness: Object.entries(burstiness).map(([name, { variance, burstSeconds, events }]) => ({
      ...{ name, burstSeconds, events },
      variation: Math.sqrt(variance),
    })),
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
  return remarksOf(findings.filter(({ name }) => isNeeded(name)))
}

function reasonToAbort({ findings }: Judgement): string {
  const shown = findings.filter(({ isShownWorse }) => isShownWorse)
  // Together they may show what none shows alone; then all that speak against the canary are named.
  return remarksOf(
    shown.length > 0 ? shown : findings.filter(({ log10Worse }) => log10Worse > suspicionLog10),
  )
}

function remarksOf(findings: Judgement['findings']): string {
  return findings.map(({ remark }) => remark).join('; ')
}
