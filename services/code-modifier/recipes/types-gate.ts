import { inThread, type ThreadOptions, type TypeErrorsInput } from './thread.ts'

/**
 * The type errors that a target has with these files in place of its own and does not have without them, such as
 * `src/stock.ts:17: TS2345 …`. The program is that of the target's tsconfig.json together with its sources.
 * Errors: AnalysisError where the target could not be analysed in time; the signal's reason.
 */
export async function newTypeErrors(input: TypeErrorsInput, options: ThreadOptions): Promise<string[]> {
  return [...(await inThread<'types'>({ kind: 'types', input }, options))]
}
