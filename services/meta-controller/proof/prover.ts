import { unasked, verdictOf } from '../analysis/proof/answer.ts'
import type { Obligation, Verdict } from '../analysis/proof/obligation.ts'
import { symbolOf } from '../analysis/proof/script.ts'
import { SolverProcess, type SolverProgram } from './solver-process.ts'

export interface ProverSettings {
  /** Until the solver is there; 15 s without it. */
  readonly startTimeoutMs?: number
  /** For one obligation; 10 s without it. */
  readonly timeoutMs?: number
  /** For all obligations of one call; 60 s without it. */
  readonly maxTotalMs?: number
  /** Of the solver's resident memory; 500 MiB without it. */
  readonly maxMemoryBytes?: number
  /** The solver's process is ended when nothing was asked for so long; 30 s without it. */
  readonly idleMs?: number
  /** The solver's process is replaced after so many obligations; 2000 without it. */
  readonly maxQuestions?: number
  readonly program?: SolverProgram
}

export interface Prover {
  /**
   * A verdict for each obligation, in their order. Never rejects: what goes wrong with the solver makes the verdict "not proven" and
   * its reason. Calls that overlap are served one after another.
   */
  prove(obligations: readonly Obligation[], signal: AbortSignal): Promise<Verdict[]>
  /** Ends the solver's process. Idempotent. */
  close(): Promise<void>
  /** The process of the solver, while there is one. */
  readonly solverPid: number | undefined
}

const defaultStartTimeoutMs = 15_000
const defaultTimeoutMs = 10_000
const defaultMaxTotalMs = 60_000
const defaultMaxMemoryBytes = 500 * 2 ** 20
const defaultIdleMs = 30_000
/** A solver is replaced after so many questions, or when it has grown so large: its memory never shrinks. */
const defaultMaxQuestions = 2000
const recycleShare = 0.8
const maxAtOnce = 100
/** A call that has ended so many solvers gets no further one. */
const maxFailures = 3

/** Starts nothing: the solver's process comes with the first obligation and goes when it has been idle. */
export function createProver(settings: ProverSettings = {}): Prover {
  return new ProcessProver(settings)
}

class ProcessProver implements Prover {
  readonly #settings: ProverSettings
  #solver: SolverProcess | undefined
  #idle: NodeJS.Timeout | undefined
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(settings: ProverSettings) {
    this.#settings = settings
  }

  get solverPid(): number | undefined {
    return this.#solver?.pid
  }

  prove(obligations: readonly Obligation[], signal: AbortSignal): Promise<Verdict[]> {
    const verdicts = this.#last
      .then(() => this.#proveInTurn(obligations, signal))
      // Such as a system that has no memory for another process.
      .catch((error: unknown) => obligations.map((one) => unasked(one, `the proof failed: ${String(error)}`)))
      .finally(() => this.#rest())
    this.#last = verdicts
    return verdicts
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idle)
    await this.#solver?.close()
    await this.#last
  }

  async #proveInTurn(obligations: readonly Obligation[], signal: AbortSignal): Promise<Verdict[]> {
    clearTimeout(this.#idle)
    const { maxTotalMs = defaultMaxTotalMs } = this.#settings
    const endMs = performance.now() + maxTotalMs
    const verdicts: Verdict[] = []
    let failures = 0
    while (verdicts.length < obligations.length) {
      const rest = obligations.slice(verdicts.length)
      const hurdle = this.#hurdle({ failures, isLate: performance.now() > endMs, signal })
      if (hurdle !== undefined) return [...verdicts, ...rest.map((obligation) => unasked(obligation, hurdle))]
      verdicts.push(...(await this.#proveSome(rest.slice(0, maxAtOnce), signal)))
      if (this.#solver?.ended !== undefined) {
        failures += 1
        this.#solver = undefined
      }
    }
    return verdicts
  }

  /** Why nothing more is put to the solver. */
  #hurdle(at: {
    readonly failures: number
    readonly isLate: boolean
    readonly signal: AbortSignal
  }): string | undefined {
    if (this.#closed) return 'the prover was closed'
    if (at.signal.aborted) return 'the proof was cancelled'
    if (at.isLate) return 'the time for all proofs was used up'
    return at.failures >= maxFailures
      ? `the solver failed ${maxFailures} times before it came to this`
      : undefined
  }

  /** Verdicts on the first of these obligations: on all, unless the solver ends. */
  async #proveSome(obligations: readonly Obligation[], signal: AbortSignal): Promise<Verdict[]> {
    const asked = obligations.filter(({ refusal }) => refusal === undefined)
    const questions = asked.map(({ smt, questions: names }) => ({ script: smt, terms: names.map(symbolOf) }))
    const answers = asked.length === 0 ? [] : await this.#usable().ask(questions, signal)
    const verdicts: Verdict[] = []
    for (const obligation of obligations) {
      const answer = obligation.refusal === undefined ? answers.shift() : undefined
      if (obligation.refusal !== undefined) verdicts.push(unasked(obligation, obligation.refusal))
      else if (answer === undefined) break
      else verdicts.push(verdictOf(obligation, answer))
    }
    return verdicts
  }

  #usable(): SolverProcess {
    const {
      startTimeoutMs = defaultStartTimeoutMs,
      timeoutMs = defaultTimeoutMs,
      maxMemoryBytes = defaultMaxMemoryBytes,
      maxQuestions = defaultMaxQuestions,
      program,
    } = this.#settings
    const solver = this.#solver
    const isWorn =
      solver !== undefined &&
      (solver.asked >= maxQuestions || solver.memoryBytes > recycleShare * maxMemoryBytes)
    if (isWorn) void solver.close('the solver was replaced')
    if (solver === undefined || isWorn) {
      this.#solver = new SolverProcess({ startTimeoutMs, timeoutMs, maxMemoryBytes }, program)
    }
    return this.#solver as SolverProcess
  }

  #rest(): void {
    const { idleMs = defaultIdleMs } = this.#settings
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => {
      void this.#solver?.close('the solver was idle')
      this.#solver = undefined
    }, idleMs)
    this.#idle.unref()
  }
}
