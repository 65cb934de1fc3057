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
  /** For one answer. */
  readonly timeoutMs: number
  /** Of resident memory; a process above it is ended. */
  readonly maxMemoryBytes: number
}

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

  /** Asks one question at a time. Ends the process when the answer does not come, or is none. */
  async ask(script: string, terms: readonly string[], signal: AbortSignal): Promise<SolverAnswer> {
    await this.#ready
    const started = performance.now()
    const unanswered = (reason: string): SolverAnswer => ({
      kind: 'unanswered',
      reason,
      ms: performance.now() - started,
    })
    if (this.#ended !== undefined) return unanswered(this.#ended)
    const id = ++this.#asked
    const heard = Promise.withResolvers<SolverReport | undefined>()
    this.#hear = heard.resolve
    void this.#gone.then(() => heard.resolve(undefined))
    const stop = this.#watch(signal)
    const question: SolverQuestion = { id, script, terms }
    this.#child.stdin?.write(`${JSON.stringify(question)}\n`)
    const report = await heard.promise
    stop()
    this.#hear = undefined
    if (report?.kind === 'answer' && report.id === id) {
      const { output, values, ms } = report
      return { kind: 'answered', output, values, ms }
    }
    this.#end('the solver answered what was not asked')
    return unanswered(this.#ended ?? 'the solver ended')
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

  /** Bounds the time and memory of one answer; the function given back ends the watch. */
  #watch(signal: AbortSignal): () => void {
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
    return () => {
      signal.removeEventListener('abort', onAbort)
      clearTimeout(timer)
      clearInterval(poll)
    }
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
