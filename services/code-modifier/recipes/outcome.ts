/** What a recipe gets. The folder is a checkout of the target with its `node_modules`; nothing in it is written. */
export interface RecipeInput {
  readonly folder: string
  /** Patterns of the files that a recipe may change, relative to the folder. */
  readonly sources: readonly string[]
  readonly parameters: Readonly<Record<string, string | number>>
  /** Paths of `.cpuprofile` files that a run of the target's benchmark in this folder left. */
  readonly profiles: readonly string[]
  readonly benchmark: readonly BenchmarkedOperation[]
}

export interface BenchmarkedOperation {
  /** As the benchmark names it: usually the RPC. */
  readonly operation: string
  readonly p99Ms: number
}

/** A whole file as it is after the change. */
export interface ChangedFile {
  /** Relative to the folder, with `/`. */
  readonly path: string
  /** Of the file's bytes before the change, in hex; null for a new file. */
  readonly baseSha256: string | null
  readonly content: string
}

export interface RecipeChange {
  readonly kind: 'change'
  readonly files: readonly ChangedFile[]
  /** One sentence for people. */
  readonly summary: string
  /** The recipe and its version, such as `enable_caching@1`. */
  readonly authorDetail: string
  /** The function that was changed; the line counts from 1 and is the one before the change. */
  readonly place: { readonly path: string; readonly line: number; readonly name: string }
  /** The function's inclusive share of the profiles' busy time, from 0 to 1; 0 where no profile was needed. */
  readonly profileShare: number
}

/** A refusal could not prove the change safe or useful; `unbuilt` is an intervention that no recipe covers. */
export type RecipeOutcome =
  | RecipeChange
  | { readonly kind: 'refusal'; readonly reason: string }
  | { readonly kind: 'unbuilt'; readonly reason: string }

export function refuse(reason: string): RecipeOutcome {
  return { kind: 'refusal', reason }
}

/** The refusal of parameters that a recipe does not take, each with its fault. */
export function refuseParameters(
  intervention: string,
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): RecipeOutcome {
  const faults = issues.map(({ path, message }) =>
    [path.map(String).join('.'), message].filter(Boolean).join(': '),
  )
  return refuse(`the parameters of ${intervention}: ${faults.join('; ')}`)
}
