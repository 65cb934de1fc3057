/** What the prover writes to the solver's standard input, one JSON a line. */
export interface SolverQuestion {
  readonly id: number
  readonly script: string
  /** Terms whose values are wanted when the script is satisfiable. */
  readonly terms: readonly string[]
}

/** What the solver writes to its standard output, one JSON a line: that it is there, or an answer. */
export type SolverReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'absent'; readonly reason: string }
  | {
      readonly kind: 'answer'
      readonly id: number
      readonly output: string
      readonly values: string
      readonly ms: number
    }

/** Undefined for whatever is no report: what a process prints is not believed. */
export function readReport(line: string): SolverReport | undefined {
  let report: unknown
  try {
    report = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof report !== 'object' || report === null || !('kind' in report)) return undefined
  const fields = report as Record<string, unknown>
  if (fields.kind === 'ready') return { kind: 'ready' }
  if (fields.kind === 'absent' && typeof fields.reason === 'string') {
    return { kind: 'absent', reason: fields.reason }
  }
  const { id, output, values, ms } = fields
  if (fields.kind !== 'answer' || typeof id !== 'number' || typeof ms !== 'number') return undefined
  return typeof output === 'string' && typeof values === 'string'
    ? { kind: 'answer', id, output, values, ms }
    : undefined
}
