import { Worker } from 'node:worker_threads'
import type { RecipeInput, RecipeOutcome } from './outcome.ts'

export interface ThreadOptions {
  /** Ends the analysis at once. */
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

export interface TypeErrorsInput {
  readonly folder: string
  readonly files: readonly { readonly path: string; readonly content: string }[]
  readonly sources: readonly string[]
}

/** What the worker thread can be asked, and what it answers. */
export interface Tasks {
  readonly recipe: {
    readonly task: { readonly kind: 'recipe'; readonly intervention: string; readonly input: RecipeInput }
    readonly answer: RecipeOutcome
  }
  readonly types: {
    readonly task: { readonly kind: 'types'; readonly input: TypeErrorsInput }
    readonly answer: readonly string[]
  }
}

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string }

/** The analysis of a target failed or took too long: the target cannot be judged. The message says why. */
export class AnalysisError extends Error {
  override readonly name = 'AnalysisError'
}

const maxHeapMb = 1_024
const maxTimeoutMs = 2 ** 31 - 1

/**
 * Runs one task in a thread of its own, which ends with it: the compiler needs seconds and hundreds of megabytes, and this process serves traffic.
 * Errors: AnalysisError; the signal's reason when it was aborted.
 */
export async function inThread<Kind extends keyof Tasks>(
  task: Tasks[Kind]['task'],
  { signal, timeoutMs }: ThreadOptions,
): Promise<Tasks[Kind]['answer']> {
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<Tasks[Kind]['answer']>()
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    env: {},
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const seconds = (timeoutMs / 1_000).toFixed(1)
  const late = setTimeout(
    () => reject(new AnalysisError(`the analysis took longer than ${seconds} s`)),
    Math.min(timeoutMs, maxTimeoutMs),
  )
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  worker.on('message', (answer: Answer<Tasks[Kind]['answer']>) => {
    if (answer.ok) resolve(answer.value)
    else reject(new AnalysisError(answer.error))
  })
  worker.on('error', (error: Error) =>
    reject(new AnalysisError(`the analysis failed: ${error.message}`, { cause: error })),
  )
  worker.on('exit', (code) =>
    reject(new AnalysisError(`the analysis ended without an answer (exit code ${code})`)),
  )
  try {
    return await promise
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', abort)
    await worker.terminate()
  }
}
