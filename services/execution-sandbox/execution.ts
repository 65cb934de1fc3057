/** How strongly an execution is isolated from the machine, weakest first. */
export const tiers = ['host', 'unshare', 'bubblewrap', 'docker'] as const
export type Tier = (typeof tiers)[number]

/** Whether `tier` isolates at least as much as `least`. */
export function isAtLeast(tier: Tier, least: Tier): boolean {
  return tiers.indexOf(tier) >= tiers.indexOf(least)
}

/** The bounds of one execution. Processes count threads too: a Node process needs about eleven. */
export interface Limits {
  readonly wallTimeMs: number
  /** All processes together. The scratch folder lies in memory where it can, and then counts too. */
  readonly memoryBytes: number
  readonly processes: number
  /** Standard output and standard error together. */
  readonly outputBytes: number
  /** Everything written to the scratch folder. */
  readonly fileBytes: number
  /** In one process. */
  readonly openFiles: number
}

/** What a request without limits gets. */
export const usualLimits: Limits = {
  wallTimeMs: 60_000,
  memoryBytes: 1024 ** 3,
  processes: 256,
  outputBytes: 4 * 1024 ** 2,
  fileBytes: 256 * 1024 ** 2,
  openFiles: 4096,
}

/** What no request may exceed; the same figures as in execution.proto. */
export const greatestLimits: Limits = {
  wallTimeMs: 600_000,
  memoryBytes: 8 * 1024 ** 3,
  processes: 1024,
  outputBytes: 64 * 1024 ** 2,
  fileBytes: 4 * 1024 ** 3,
  openFiles: 65_536,
}

/** A folder of the host that shows, read-only, at `path` inside. */
export interface Mount {
  readonly hostPath: string
  readonly path: string
}

/** One program and its bounds. Paths inside are absolute; `outputs` are relative to the scratch folder. */
export interface Execution {
  readonly command: readonly string[]
  /** Not for secrets: the values show in the process list of the host while the program starts. */
  readonly environment: Readonly<Record<string, string>>
  /** Empty: the first mount, or else the scratch folder. */
  readonly workingDirectory: string
  readonly stdin: Uint8Array
  readonly mounts: readonly Mount[]
  /** Files to bring back; `folder/*` stands for the regular files of a folder. */
  readonly outputs: readonly string[]
  readonly limits: Limits
  readonly leastTier: Tier
  /** `target-own`: the target's own code, changed at most by a recipe. Only this may run on the host tier. */
  readonly trust: 'untrusted' | 'target-own'
}

/** A regular file that the program left in its scratch folder. */
export interface OutputFile {
  readonly path: string
  readonly content: Uint8Array
}

export type Outcome =
  | 'exited'
  | 'signaled'
  | 'timed-out'
  | 'out-of-memory'
  | 'output-limit'
  | 'file-limit'
  | 'canceled'
  | 'refused'

/** What became of an execution, decided from exit status and limits and never from what the program printed. */
export interface Verdict {
  readonly outcome: Outcome
  /** Only with `exited`. Programs that could not be found give 127, those that cannot be run 126, as in a shell. */
  readonly exitCode: number
  /** Only with `signaled`. An exit code of 128 + n counts as signal n: that is how the shell between passes it on. */
  readonly signal: string
  readonly durationMs: number
  /** The most that was seen; zero when the tier cannot tell. */
  readonly maxMemoryBytes: number
  readonly tier: Tier
  readonly files: readonly OutputFile[]
  /** Only with `refused`: why, and what to do. */
  readonly refusal: string
}

export type OutputStream = 'stdout' | 'stderr'

/** How a caller follows and ends a run. What `onOutput` gets is at most `limits.outputBytes` in all. */
export interface RunOptions {
  readonly signal?: AbortSignal
  readonly onOutput?: (stream: OutputStream, bytes: Uint8Array) => void
}

/** What one tier can do on this machine, found by running a program in it. */
export interface TierCapability {
  readonly tier: Tier
  readonly available: boolean
  /** Why it is not available and what to do, or a remark on what it promises here. */
  readonly remark: string
  readonly loopback: boolean
  readonly memoryOfAll: boolean
}

/** A verdict for a program that was not run. */
export function refusedVerdict(tier: Tier, refusal: string): Verdict {
  return {
    outcome: 'refused',
    exitCode: 0,
    signal: '',
    durationMs: 0,
    maxMemoryBytes: 0,
    tier,
    files: [],
    refusal: refusal.slice(0, maxRefusalCharacters),
  }
}

const maxRefusalCharacters = 2000
