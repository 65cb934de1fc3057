import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { GuardianReport, GuardianRequest } from './guardian-messages.ts'

const entry = fileURLToPath(new URL('./guardian.ts', import.meta.url))
/** The guardian ends its groups within its own, shorter grace when its channel closes. */
const closeTimeoutMs = 900

/** How a guarded process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
  /** The last lines of what it printed. */
  readonly outputTail: string
}

/** A process under the guardian. */
export interface GuardedProcess {
  readonly ended: Promise<Exit>
  /** SIGTERM to its group, SIGKILL after the grace. Resolves when it has ended; idempotent. */
  stop(graceMs: number): Promise<void>
}

export interface GuardedCommand {
  readonly argv: readonly string[]
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  /** Where its output goes; begun anew. */
  readonly outputFile: string
}

interface Entry {
  pid: number | undefined
  readonly end: (exit: Exit) => void
}

/**
 * The deployer's end of the guardian, one process for all versions, started with the first of them. Should the guardian itself die,
 * its versions are ended from here, and the next start begins a new one.
 */
export class Guard {
  readonly #environment: Readonly<Record<string, string>>
  readonly #entries = new Map<number, Entry>()
  #guardian: ChildProcess | undefined
  #nextId = 1

  /** `environment`: the guardian's own, not that of the versions. */
  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.#environment = environment
  }

  start(command: GuardedCommand): GuardedProcess {
    const guardian = this.#guardian ?? this.#begin()
    const id = this.#nextId++
    const ended = new Promise<Exit>((resolve) => {
      this.#entries.set(id, { pid: undefined, end: resolve })
    })
    this.#send(guardian, { kind: 'start', id, ...command })
    return {
      ended,
      stop: async (graceMs) => {
        if (this.#entries.has(id)) this.#send(guardian, { kind: 'stop', id, graceMs })
        await ended
      },
    }
  }

  /** Ends every version and the guardian; idempotent. */
  async close(): Promise<void> {
    const guardian = this.#guardian
    if (!guardian) return
    const exited = new Promise<void>((resolve) => guardian.once('exit', () => resolve()))
    if (guardian.connected) guardian.disconnect()
    const timer = setTimeout(() => guardian.kill('SIGKILL'), closeTimeoutMs)
    await exited
    clearTimeout(timer)
  }

  #begin(): ChildProcess {
    const guardian = fork(entry, [], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      env: this.#environment,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // A session of its own: Ctrl-C in the terminal is for the deployer, which then ends the versions in order.
      detached: true,
    })
    this.#guardian = guardian
    guardian.on('message', (report: GuardianReport) => this.#hear(report))
    guardian.on('error', () => undefined)
    guardian.once('exit', () => this.#bury(guardian))
    return guardian
  }

  #send(guardian: ChildProcess, request: GuardianRequest): void {
    if (guardian.connected) guardian.send(request, () => undefined)
  }

  #hear(report: GuardianReport): void {
    const process = this.#entries.get(report.id)
    if (report.kind === 'started') {
      if (process) process.pid = report.pid
      return
    }
    this.#entries.delete(report.id)
    process?.end({ code: report.code, signal: report.signal, outputTail: report.outputTail })
  }

  #bury(guardian: ChildProcess): void {
    if (this.#guardian === guardian) this.#guardian = undefined
    for (const [id, { pid, end }] of this.#entries) {
      if (pid !== undefined) killGroup(pid)
      this.#entries.delete(id)
      end({ code: null, signal: 'SIGKILL', outputTail: 'its guardian ended' })
    }
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
