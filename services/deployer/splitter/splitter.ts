import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Routing, SplitterCounts, SplitterReport, SplitterRequest, SplitterSettings } from './control.ts'

const entry = fileURLToPath(new URL('./main.ts', import.meta.url))
const startTimeoutMs = 10_000
const answerTimeoutMs = 3_000

/** The splitter could not be started, or does not answer. */
export class SplitterError extends Error {
  override readonly name = 'SplitterError'
}

/** The deployer's end of a splitter process. */
export interface Splitter {
  readonly port: number
  readonly metricsPort: number
  /** Resolves when new requests go by the routing. Errors: SplitterError. */
  route(routing: Routing): Promise<void>
  /** What each version has answered since the splitter started. Errors: SplitterError. */
  read(): Promise<SplitterCounts>
  /** Resolves when the process has ended, by whatever cause. */
  readonly ended: Promise<void>
  close(): Promise<void>
}

/**
 * Starts a splitter and waits until both of its ports are open. It gets `environment` and nothing of NEXUS's own.
 * Errors: SplitterError naming the port and its setting.
 */
export async function startSplitter(
  settings: SplitterSettings,
  environment: Readonly<Record<string, string>> = {},
): Promise<Splitter> {
  const child = fork(entry, [JSON.stringify(settings)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'json',
  })
  const splitter = new SplitterProcess(child)
  try {
    await splitter.listening(settings)
  } catch (error) {
    await splitter.close()
    throw error
  }
  return splitter
}

type Pending = { resolve: (report: SplitterReport) => void; reject: (error: Error) => void }

class SplitterProcess implements Splitter {
  port = 0
  metricsPort = 0
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #pending = new Map<number, Pending>()
  #nextId = 1
  #isOver = false

  constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (report: SplitterReport) => {
      this.#pending.get('id' in report ? report.id : 0)?.resolve(report)
    })
    child.on('error', () => undefined)
    this.ended = new Promise((resolve) => {
      child.once('exit', () => {
        this.#isOver = true
        for (const { reject } of this.#pending.values()) reject(new SplitterError('the splitter has ended'))
        resolve()
      })
    })
  }

  async listening(settings: SplitterSettings): Promise<void> {
    const first = await this.#reply(0, startTimeoutMs)
    if (first.kind === 'listening') {
      this.port = first.port
      this.metricsPort = first.metricsPort
    }
    if (first.kind !== 'failed') return
    const isTraffic = first.use === 'traffic'
    const [port, setting] = isTraffic
      ? [settings.port, 'NEXUS_LOCAL_PORT']
      : [settings.metricsPort, 'NEXUS_LOCAL_METRICS_PORT']
    const problem = first.code === 'EADDRINUSE' ? 'is in use by another process' : `fails with ${first.code}`
    throw new SplitterError(`port ${port} for the ${first.use} ${problem}: free it, or set ${setting}`)
  }

  async route(routing: Routing): Promise<void> {
    await this.#ask((id) => ({ kind: 'route', id, routing }))
  }

  async read(): Promise<SplitterCounts> {
    const report = await this.#ask((id) => ({ kind: 'read', id }))
    return report.kind === 'counts' ? report.counts : {}
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), 800)
    await this.ended
    clearTimeout(kill)
  }

  async #ask(request: (id: number) => SplitterRequest): Promise<SplitterReport> {
    const id = this.#nextId++
    const reply = this.#reply(id, answerTimeoutMs)
    this.#child.send(request(id), (error) => {
      if (error) this.#pending.get(id)?.reject(new SplitterError('the splitter cannot be reached'))
    })
    return reply
  }

  #reply(id: number, withinMs: number): Promise<SplitterReport> {
    if (this.#isOver) return Promise.reject(new SplitterError('the splitter has ended'))
    return new Promise<SplitterReport>((resolve, reject) => {
      const late = new SplitterError(`the splitter did not answer within ${withinMs} ms`)
      const timer = setTimeout(() => reject(late), withinMs)
      const settle = () => clearTimeout(timer)
      this.#pending.set(id, {
        resolve: (report) => {
          settle()
          resolve(report)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      })
    }).finally(() => this.#pending.delete(id))
  }
}
