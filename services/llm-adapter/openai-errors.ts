import { ModelError, type ModelFault } from './model.ts'

/** What the SDK's APIError has; read structurally, so that the SDK is loaded only where a model is configured. */
interface Failure {
  readonly status?: unknown
  readonly code?: unknown
  readonly headers?: unknown
  readonly cause?: unknown
  readonly name?: unknown
}

const plainWord = /^[A-Za-z0-9_.-]{1,64}$/
const maxRetryAfterMs = 24 * 3_600_000

/** Gives an error of the SDK the adapter's words. What the provider wrote is dropped but for its status and code. */
export function modelErrorFrom(error: unknown, nowMs: number): ModelError {
  if (error instanceof ModelError) return error
  const failure = (typeof error === 'object' && error !== null ? error : {}) as Failure
  if (typeof failure.status === 'number') return fromStatus(failure.status, failure, nowMs)
  if (hasName(error, 'BodyTooLargeError'))
    return new ModelError('malformed', 'the provider sent more than an answer can hold')
  if (hasName(error, 'SyntaxError')) return new ModelError('malformed', 'the provider sent what is not JSON')
  const code = systemCodeOf(error)
  const refused = [
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'CERT_HAS_EXPIRED',
    'UND_ERR_CONNECT_TIMEOUT',
  ].includes(code)
  return new ModelError('unavailable', `the provider cannot be reached${code ? ` (${code})` : ''}`, {
    free: refused,
  })
}

function fromStatus(status: number, failure: Failure, nowMs: number): ModelError {
  const code = typeof failure.code === 'string' && plainWord.test(failure.code) ? failure.code : ''
  const answered = `the provider answered ${status}${code ? ` (${code})` : ''}`
  // A 5xx may come after the work; everything below was refused before it.
  const free = status < 500
  const fault = faultOf(status, code)
  const retryAfterMs = retryAfterOf(failure.headers, nowMs)
  return new ModelError(fault, `${answered}${remedies[fault] ?? ''}`, { retryAfterMs, free })
}

const remedies: Partial<Record<ModelFault, string>> = {
  quota: ': its quota is spent',
  key: ': check NEXUS_LLM_API_KEY',
  unknown_model: ': check NEXUS_LLM_MODEL, NEXUS_LLM_EMBEDDING_MODEL and the path in NEXUS_LLM_URL',
  too_long: ': the prompt is longer than the model takes',
  unsupported: ': it does not take this request; NEXUS_LLM_DIALECT may have to be changed',
}

function faultOf(status: number, code: string): ModelFault {
  if (code === 'insufficient_quota' || status === 402) return 'quota'
  if (code === 'context_length_exceeded' || status === 413) return 'too_long'
  if (status === 401 || status === 403) return 'key'
  if (status === 404) return 'unknown_model'
  if (status === 429) return 'rate_limited'
  if (status === 408 || status === 409 || status >= 500) return 'unavailable'
  return 'unsupported'
}

/** RFC 9110 10.2.3: seconds or a date; `retry-after-ms` is OpenAI's own and finer. */
function retryAfterOf(headers: unknown, nowMs: number): number | undefined {
  if (!(headers instanceof Headers)) return undefined
  const fine = Number(headers.get('retry-after-ms') ?? Number.NaN)
  if (fine >= 0) return Math.min(fine, maxRetryAfterMs)
  const text = headers.get('retry-after')?.trim() ?? ''
  const afterMs = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return Number.isFinite(afterMs) ? Math.min(Math.max(0, afterMs), maxRetryAfterMs) : undefined
}

function hasName(error: unknown, name: string): boolean {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth += 1) {
    if (each.name === name) return true
  }
  return false
}

function systemCodeOf(error: unknown): string {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth += 1) {
    const { code } = each as { code?: unknown }
    if (typeof code === 'string' && plainWord.test(code)) return code
  }
  return ''
}
