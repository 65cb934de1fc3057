import type { Checkout } from '../../platform/target/checkout.ts'
import type { Finding } from '../change.ts'
import { Refused } from '../gates.ts'
import { diffOf } from '../git/diff.ts'
import type { RecipeChange } from '../recipes/outcome.ts'
import { newTypeErrors } from '../recipes/types-gate.ts'
import { scanChange } from '../scan/scan.ts'
import { judged } from './judged.ts'
import { whyProtected } from './paths.ts'
import type { GateRun } from './run-tests.ts'

/** A change as the files that it changes. */
export interface Change {
  readonly files: readonly { readonly path: string; readonly before: string | null; readonly after: string }[]
}

export const maxFiles = 5
export const maxLines = 200
/** Lines may be long; the change has to fit into one event of the journal with its evidence. */
export const maxDiffBytes = 100_000
const typesTimeMs = 60_000
const scanTimeMs = 60_000
const shownErrors = 5
const maxNotes = 50

/** The first gate: where a change may reach. */
export async function checkPaths(run: GateRun, paths: readonly string[]): Promise<void> {
  await run.gates.pass('policy', async () => refuseProtected(run, paths))
}

/** The gates that read code without running it: size, types, scanners. Gives what the scanners noted. */
export async function checkChange(
  run: GateRun,
  { base, change, made }: { readonly base: Checkout; readonly change: Change; readonly made: RecipeChange },
): Promise<readonly Finding[]> {
  await run.gates.pass('size', async () => refuseLarge(change))
  await run.gates.pass('types', async () => {
    const files = made.files.map(({ path, content }) => ({ path, content }))
    const input = { folder: base.folder, files, sources: run.manifest.sources }
    const errors = await judged(() => newTypeErrors(input, { signal: run.signal, timeoutMs: typesTimeMs }))
    if (errors.length > 0)
      throw new Refused(`the change has type errors: ${errors.slice(0, shownErrors).join('; ')}`)
    return { result: undefined, detail: 'no error that the base does not have' }
  })
  return run.gates.pass('scan', async () => {
    const findings = await judged(() =>
      scanChange(change.files, { signal: run.signal, timeoutMs: scanTimeMs }),
    )
    const blocking = findings.filter((finding) => finding.severity === 'blocking')
    const first = blocking[0]
    if (first !== undefined)
      throw new Refused(
        `the scanners found ${blocking.length} new: ${first.path}:${first.line} ${first.message}`,
      )
    return {
      result: findings.slice(0, maxNotes),
      detail: `nothing new that blocks, ${findings.length} notes`,
    }
  })
}

function refuseProtected(run: GateRun, paths: readonly string[]) {
  const rules = { sources: run.manifest.sources, protectedGlobs: run.manifest.protected }
  for (const path of paths) {
    const reason = whyProtected(path, rules)
    if (reason !== undefined) throw new Refused(`${path} may not be changed: ${reason}`)
  }
  return { result: undefined, detail: `${paths.join(', ')} may be changed` }
}

function refuseLarge(change: Change) {
  const { text, linesAdded, linesRemoved } = diffOf(change.files)
  const lines = linesAdded + linesRemoved
  if (change.files.length > maxFiles)
    throw new Refused(`it changes ${change.files.length} files, at most ${maxFiles} are permitted`)
  const bytes = Buffer.byteLength(text)
  if (bytes > maxDiffBytes)
    throw new Refused(`its diff has ${bytes} bytes, at most ${maxDiffBytes} are permitted`)
  if (lines > maxLines) throw new Refused(`it changes ${lines} lines, at most ${maxLines} are permitted`)
  return { result: undefined, detail: `${change.files.length} files, ${lines} lines` }
}
