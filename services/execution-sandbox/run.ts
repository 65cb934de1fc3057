import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex, Readable } from 'node:stream'
import type { Clock } from '../platform/clock.ts'
import type { CgroupUsage } from './cgroup.ts'
import type { Limits, Outcome, OutputStream, RunOptions, Tier, Verdict } from './execution.ts'
import { refusedVerdict } from './execution.ts'
import { type End, endOf } from './exit-status.ts'
import { guardianPath, guardianScript } from './guardian.ts'
import { type Collected, collectOutputs } from './outputs.ts'

/** A program made ready to start: the guardian's command line and variables, and how to see what it uses. */
export interface Launch {
  readonly tier: Tier
  /** Goes before the guardian, such as an `unshare` for a mount namespace of its own. */
  readonly outerCommand: readonly string[]
  readonly tierCommand: readonly string[]
  readonly guardVariables: Readonly<Record<string, string>>
  readonly stdin: Uint8Array
  readonly limits: Limits
  readonly outputs: readonly string[]
  /** Looks at what the run uses; gets the guardian's process id. */
  readonly look: (guardian: number) => Usage
  readonly clock: Clock
}

/** What a look shows. `fileBytes` is zero where the kernel holds the limit by itself. */
export interface Usage extends CgroupUsage {
  readonly fileBytes: number
}

const lookEveryMs = 25
/** How long the guardian may take to end what it was told to end. */
const maxEndMs = 5000
/** What a tar stream may add to the files in it: a header and a padding for each. */
const maxTarOverheadBytes = 64 * 1024 ** 2

/** Runs a program under a guardian to its end. Never throws for what the program does; the verdict says it. */
export async function runLaunch(launch: Launch, options: RunOptions): Promise<Verdict> {
  const startedMs = launch.clock.monotonicMs()
  const guardian = spawnGuardian(launch)
  const closed = once(guardian, 'close').then(
    () => undefined,
    () => undefined,
  )
  const failed = new Promise<string>((resolve) => {
    guardian.once('error', (error) => resolve(`the guardian could not be started: ${error.message}`))
  })
  const run = new Run(launch, guardian)
  const spawnError = await Promise.race([failed, run.follow(options)])
  if (typeof spawnError === 'string') return refusedVerdict(launch.tier, spawnError)
  const durationMs = Math.round(launch.clock.monotonicMs() - startedMs)
  const ended = new AbortController()
  await Promise.race([closed, run.killGuardianLate(ended.signal)])
  ended.abort()
  return { ...(await run.conclude()), durationMs }
}

function spawnGuardian(launch: Launch): ChildProcess {
  const [program = '', ...args] = [
    ...launch.outerCommand,
    ...['/bin/sh', '-c', guardianScript, 'nexus-guardian'],
    ...launch.tierCommand,
  ]
  return spawn(program, args, {
    cwd: '/',
    detached: true,
    env: { PATH: guardianPath, LC_ALL: 'C', ...launch.guardVariables },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', launch.outputs.length > 0 ? 'pipe' : 'ignore'],
  })
}

/** One run while it lasts. It is stopped at most once, and the first reason counts. */
class Run {
  readonly #launch: Launch
  readonly #guardian: ChildProcess
  readonly #lifeline: Duplex
  readonly #over = new AbortController()
  #stopped: Outcome | undefined
  #outputBytes = 0
  #report = ''
  #errorTail = ''
  #usage: Usage = { memoryBytes: 0, maxMemoryBytes: 0, outOfMemoryKills: 0, fileBytes: 0 }
  #collecting: Promise<Collected> = Promise.resolve({ files: [], complete: true })

  constructor(launch: Launch, guardian: ChildProcess) {
    this.#launch = launch
    this.#guardian = guardian
    this.#lifeline = guardian.stdio[3] as Duplex
  }

  /** Resolves when the program has ended, by itself or because it was stopped. */
  async follow(options: RunOptions): Promise<void> {
    const { signal } = options
    this.#readOutput('stdout', this.#guardian.stdout!, options)
    this.#readOutput('stderr', this.#guardian.stderr!, options)
    this.#sendStdin()
    const collected = this.#guardian.stdio[4] as Readable | null
    if (collected) {
      const maxStreamBytes = this.#launch.limits.fileBytes + maxTarOverheadBytes
      this.#collecting = collectOutputs(collected, this.#launch.outputs, maxStreamBytes)
    }
    const onAbort = () => this.#stop('canceled')
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    const ended = this.#readReport()
    void this.#watch()
    await ended
    this.#lookOnce()
    this.#over.abort()
    signal?.removeEventListener('abort', onAbort)
    this.#lifeline.end()
  }

  /** The backstop for a guardian that does not end: its process group goes, and with it what dies with its parent. */
  async killGuardianLate(ended: AbortSignal): Promise<void> {
    await this.#launch.clock.sleep(maxEndMs, ended).catch(() => undefined)
    if (ended.aborted || this.#guardian.pid === undefined) return
    try {
      process.kill(-this.#guardian.pid, 'SIGKILL')
    } catch {
      return // It ended in this very moment.
    }
    for (const stream of this.#guardian.stdio) stream?.destroy()
  }

  async conclude(): Promise<Verdict> {
    const { tier } = this.#launch
    const collected = await this.#collecting
    const status = Number(/^exit (\d+)$/m.exec(this.#report)?.[1] ?? Number.NaN)
    const setup = /^setup (.*)$/m.exec(this.#report)?.[1]
    const isReady = /^ready$/m.test(this.#report)
    if (!this.#stopped && (setup !== undefined || !isReady)) {
      const why = setup ?? (this.#errorTail.trim() || `the guardian ended with status ${status}`)
      return refusedVerdict(tier, `the ${tier} sandbox could not be set up: ${why}`)
    }
    const end = this.#end(status)
    const tooMuch = end.outcome === 'exited' && !collected.complete
    return {
      exitCode: 0,
      signal: '',
      ...end,
      ...(tooMuch ? { outcome: 'file-limit' as const, exitCode: 0 } : {}),
      durationMs: 0,
      maxMemoryBytes: this.#usage.maxMemoryBytes,
      tier,
      files: end.outcome === 'exited' && !tooMuch ? collected.files : [],
      refusal: '',
    }
  }

  #end(status: number): End {
    if (this.#stopped) return { outcome: this.#stopped }
    return this.#usage.outOfMemoryKills > 0 ? { outcome: 'out-of-memory' } : endOf(status)
  }

  #stop(why: Outcome): void {
    if (this.#stopped) return
    this.#lookOnce()
    this.#stopped = why
    this.#lifeline.end()
  }

  #readOutput(name: OutputStream, stream: Readable, options: RunOptions): void {
    stream.on('data', (chunk: Buffer) => {
      const left = this.#launch.limits.outputBytes - this.#outputBytes
      this.#outputBytes += chunk.length
      if (left > 0) options.onOutput?.(name, chunk.subarray(0, left))
      if (name === 'stderr') this.#errorTail = (this.#errorTail + chunk.toString('latin1')).slice(-500)
      if (this.#outputBytes > this.#launch.limits.outputBytes) this.#stop('output-limit')
    })
    stream.on('error', () => this.#stop('canceled'))
  }

  #sendStdin(): void {
    const { stdin } = this.#guardian
    // A program that does not read its input is no fault.
    stdin?.on('error', () => stdin.destroy())
    stdin?.end(this.#launch.stdin)
  }

  /** Resolves with the last line of the report, or when the guardian is gone. */
  async #readReport(): Promise<void> {
    const maxReportBytes = 16_384
    await new Promise<void>((resolve) => {
      this.#lifeline.on('data', (chunk: Buffer) => {
        this.#report = (this.#report + chunk.toString('latin1')).slice(0, maxReportBytes)
        if (/^exit \d+\n/m.test(this.#report)) resolve()
      })
      this.#lifeline.on('error', () => resolve())
      this.#lifeline.on('close', () => resolve())
      this.#guardian.once('exit', () => resolve())
    })
  }

  async #watch(): Promise<void> {
    const { clock, limits } = this.#launch
    const endMs = clock.monotonicMs() + limits.wallTimeMs
    while (!this.#over.signal.aborted) {
      const leftMs = endMs - clock.monotonicMs()
      if (leftMs <= 0) return this.#stop('timed-out')
      await clock.sleep(Math.min(leftMs, lookEveryMs), this.#over.signal).catch(() => undefined)
      if (this.#over.signal.aborted) return
      this.#lookOnce()
      if (this.#usage.outOfMemoryKills > 0 || this.#usage.memoryBytes > limits.memoryBytes) {
        return this.#stop('out-of-memory')
      }
      if (this.#usage.fileBytes > limits.fileBytes) return this.#stop('file-limit')
    }
  }

  #lookOnce(): void {
    const seen = this.#launch.look(this.#guardian.pid ?? 0)
    const maxMemoryBytes = Math.max(this.#usage.maxMemoryBytes, seen.maxMemoryBytes, seen.memoryBytes)
    const outOfMemoryKills = Math.max(this.#usage.outOfMemoryKills, seen.outOfMemoryKills)
    this.#usage = { ...seen, maxMemoryBytes, outOfMemoryKills }
  }
}
