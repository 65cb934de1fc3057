import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { SolverAnswer } from '../analysis/proof/answer.ts'
import { readReport, type SolverQuestion, type SolverReport } from './protocol.ts'

const entry = fileURLToPath(new URL('./solver.ts', import.meta.url))
const maxLineChars = 4_000_000
const memoryPollMs = 50
const pageBytes = 4096

export interface SolverLimits {
  /** Until the solver is there. */
  readonly startTimeoutMs: number
  /** From one answer to the next. */
  readonly timeoutMs: number
  /** Of resident memory; a process above it is ended. */
  readonly maxMemoryBytes: number
}

export type Question = Omit<SolverQuestion, 'id'>

/** What to run in place of Z3, for tests of what can go wrong with it. */
export interface SolverProgram {
  readonly argv: readonly [string, ...string[]]
}

/**
 * One process of the solver, from its start to its end. States: starting, idle, asked, ended; once it has ended for whatever reason,
 * every question is answered with that reason. Neither method throws or rejects.
 */
export class SolverProcess {
  readonly #child: ChildProcess
  readonly #limits: SolverLimits
  readonly #ready: Promise<void>
  readonly #gone: Promise<void>
  #ended: string | undefined
  #hear: ((report: SolverReport) => void) | undefined
  #asked = 0

  constructor(limits: SolverLimits, program?: SolverProgram) {
    this.#limits = limits
    const [file, ...args] = program?.argv ?? [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      entry,
    ]
    // Pipes rather than Node's channel, which throws in the parent when a child writes rubbish to it. NEXUS's environment stays here.
    // A session of its own: Ctrl-C in the terminal is for NEXUS, which then ends the solver.
    this.#child = spawn(file, args, { env: {}, stdio: ['pipe', 'pipe', 'ignore'], detached: true })
    const { promise: gone, resolve: onGone } = Promise.withResolvers<void>()
    this.#gone = gone
    this.#child.once('error', (error) => {
      this.#end(`the solver cannot be started: ${error.message}`)
      onGone()
    })
    this.#child.once('exit', (code, signal) => {
      this.#end(`the solver ended (${signal ?? `exit code ${code}`})`)
      onGone()
    })
    this.#child.stdin?.on('error', () => undefined)
    this.#ready = this.#listen()
    this.#unref()
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** How many questions it was asked. */
  get asked(): number {
    return this.#asked
  }

  /** Why it has ended. */
  get ended(): string | undefined {
    return this.#ended
  }

  /** Resident memory now; 0 where the system does not tell (it does on Linux). */
  get memoryBytes(): number {
    try {
      const [, resident] = readFileSync(`/proc/${this.#child.pid}/statm`, 'utf8').split(' ')
      return Number(resident) * pageBytes
    } catch {
      return 0
    }
  }

  /**
   * Asks all of the questions at once, so that the solver does not wait between them. Gives their answers in order, up to the first
   * that did not come: that one is `unanswered`, and the process has ended. One call at a time.
   */
  async ask(questions: readonly Question[], signal: AbortSignal): Promise<SolverAnswer[]> {
    await this.#ready
    const answers: SolverAnswer[] = []
    const done = Promise.withResolvers<void>()
    const watch = this.#watch(signal)
    const base = this.#asked
    this.#asked += questions.length
    this.#hear = (report) => {
      if (report.kind !== 'answer' || report.id !== base + answers.length) {
        this.#end('the solver answered what was not asked')
        return
      }
      const { output, values, ms } = report
      answers.push({ kind: 'answered', output, values, ms })
      watch.again()
      if (answers.length === questions.length) done.resolve()
    }
    void this.#gone.then(done.resolve)
    for (const [index, question] of questions.entries()) this.#write({ id: base + index, ...question })
    const started = performance.now()
    if (questions.length > 0) await done.promise
    this.#hear = undefined
    watch.stop()
    if (answers.length < questions.length) {
      answers.push({
        kind: 'unanswered',
        reason: this.#ended ?? 'the solver ended',
        ms: performance.now() - started,
      })
    }
    return answers
  }

  /** Ends it at once; resolves when it is gone. Idempotent. */
  async close(reason = 'the prover was closed'): Promise<void> {
    this.#end(reason)
    this.#child.ref()
    await this.#gone
  }

  /** Resolves when the solver is there or has ended. */
  #listen(): Promise<void> {
    const ready = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      this.#end(`the solver did not start within ${this.#limits.startTimeoutMs} ms`)
    }, this.#limits.startTimeoutMs)
    void this.#gone.then(ready.resolve)
    void ready.promise.then(() => clearTimeout(timer))
    const { stdout } = this.#child
    if (stdout === null) return ready.promise
    let chars = 0
    stdout.on('data', (part: Buffer) => {
      chars = part.includes(10) ? 0 : chars + part.length
      if (chars > maxLineChars) this.#end(`the solver printed a line of more than ${maxLineChars} characters`)
    })
    createInterface({ input: stdout }).on('line', (line) => {
      const report = readReport(line)
      if (report === undefined) this.#end(`the solver printed rubbish: ${line.slice(0, 80)}`)
      else if (report.kind === 'absent') this.#end(`the solver is absent: ${report.reason}`)
      else if (report.kind === 'ready') ready.resolve()
      else this.#hear?.(report)
    })
    return ready.promise
  }

  #write(question: SolverQuestion): void {
    if (this.#ended === undefined) this.#child.stdin?.write(`${JSON.stringify(question)}\n`)
  }

  /** Bounds the time and memory of each answer: `again` when one has come. */
  #watch(signal: AbortSignal): { readonly again: () => void; readonly stop: () => void } {
    const { timeoutMs, maxMemoryBytes } = this.#limits
    const onAbort = () => this.#end('the proof was cancelled')
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const timer = setTimeout(() => this.#end(`the solver did not answer within ${timeoutMs} ms`), timeoutMs)
    const poll = setInterval(() => {
      if (this.memoryBytes > maxMemoryBytes) {
        this.#end(`the solver took more than ${Math.round(maxMemoryBytes / 2 ** 20)} MiB of memory`)
      }
    }, memoryPollMs)
    const stop = () => {
      signal.removeEventListener('abort', onAbort)
      clearTimeout(timer)
      clearInterval(poll)
    }
    return { again: () => void timer.refresh(), stop }
  }

  #end(reason: string): void {
    this.#ended ??= reason
    this.#child.kill('SIGKILL')
  }

  /** An idle solver keeps nobody's process alive. */
  #unref(): void {
    this.#child.unref()
    for (const stream of [this.#child.stdin, this.#child.stdout]) {
      ;(stream as (typeof stream & { unref?: () => void }) | null)?.unref?.()
    }
  }
}
