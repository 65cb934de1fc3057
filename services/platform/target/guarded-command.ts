import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const guardian = fileURLToPath(new URL('./guardian.ts', import.meta.url))
const maxOutputTailBytes = 8 * 1024

export interface CommandResult {
  /** Undefined when it was ended by the time limit or the signal. */
  readonly exitCode: number | undefined
  /** The end of what it printed on both streams. */
  readonly outputTail: string
  readonly timedOut: boolean
}

/**
 * Runs a command in its own process group under `guardian.ts`; it gets `environment` and nothing of NEXUS's own.
 * The whole group is ended at `timeoutMs`, when `signal` aborts, when the command itself ends, and when NEXUS dies.
 */
export function runGuarded(options: {
  argv: readonly string[]
  folder: string
  environment: Readonly<Record<string, string>>
  timeoutMs: number
  signal: AbortSignal
}): Promise<CommandResult> {
  options.signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [guardian, ...options.argv], {
      cwd: options.folder,
      env: options.environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    let tail = Buffer.alloc(0)
    let timedOut = false
    const collect = (chunk: Buffer) => {
      tail = Buffer.concat([tail, chunk]).subarray(-maxOutputTailBytes)
    }
    const end = () => killGroup(child.pid)
    const timer = setTimeout(() => {
      timedOut = true
      end()
    }, options.timeoutMs)
    options.signal.addEventListener('abort', end, { once: true })
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.stdin.on('error', () => undefined)
    const finish = () => {
      clearTimeout(timer)
      options.signal.removeEventListener('abort', end)
    }
    child.once('error', (error) => {
      finish()
      reject(error)
    })
    child.once('exit', end)
    child.once('close', (code) => {
      finish()
      if (options.signal.aborted) reject(options.signal.reason)
      else
        resolve({
          exitCode: timedOut ? undefined : (code ?? undefined),
          outputTail: tail.toString('utf8'),
          timedOut,
        })
    })
  })
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
