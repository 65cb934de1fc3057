import { Worker } from 'node:worker_threads'
import type { Finding, ScannedFile } from './finding.ts'

export type { Finding, FindingSeverity, ScannedFile } from './finding.ts'

const maxHeapMb = 768

/** The scanners did not come to an end, so nothing is known about the change: it must not pass. */
export class ScanError extends Error {
  override readonly name = 'ScanError'
}

/**
 * Looks for secrets, dangerous patterns and hidden characters that `after` has and `before` does not have. It runs in a thread
 * of its own that ends with it, because the scanners are large and the process serves traffic meanwhile.
 * Errors: ScanError when they fail or take longer than `timeoutMs`; the signal's reason when it aborts.
 */
export function scanChange(
  files: readonly ScannedFile[],
  options: { signal: AbortSignal; timeoutMs: number },
): Promise<Finding[]> {
  const { signal, timeoutMs } = options
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: files.map(({ path, before, after }) => ({ path, before, after })),
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
      // Nothing of NEXUS's own environment and flags is needed to look at texts.
      env: {},
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    const end = (settle: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      worker.removeAllListeners()
      worker.on('error', () => undefined)
      void worker.terminate().then(settle, settle)
    }
    const onAbort = () => end(() => reject(signal.reason))
    const timer = setTimeout(
      () => end(() => reject(new ScanError(`the scanners did not end within ${timeoutMs} ms`))),
      timeoutMs,
    )
    signal.addEventListener('abort', onAbort, { once: true })
    worker.once('message', (findings: Finding[]) => end(() => resolve(findings)))
    worker.once('error', (cause) =>
      end(() => reject(new ScanError(`the scanners failed: ${cause.message}`, { cause }))),
    )
    worker.once('exit', (code) => end(() => reject(new ScanError(`the scanners ended early with ${code}`))))
  })
}
