import { Refused } from '../gates.ts'
import { AnalysisError } from '../recipes/thread.ts'
import { ScanError } from '../scan/scan.ts'

/** Code that cannot be looked into cannot be judged, which is a reason to refuse and no fault of a service. Errors: Refused. */
export async function judged<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (error) {
    throw error instanceof AnalysisError || error instanceof ScanError ? new Refused(error.message) : error
  }
}
