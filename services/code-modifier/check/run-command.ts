import path from 'node:path'
import type { Client } from '@connectrpc/connect'
import { Outcome, Tier, Trust, type Verdict } from '../../gen/nexus/execution_sandbox/v1/execution_pb.ts'
import type { ExecutionSandboxService } from '../../gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { invariant } from '../../platform/invariant.ts'
import type { Checkout } from '../../platform/target/checkout.ts'

/** A command of the target to be run on a checkout of it. */
export interface TargetCommand {
  readonly argv: readonly string[]
  readonly checkout: Checkout
  /** The folder that holds the checkout and its dependencies; inside it is `insideRoot`. */
  readonly root: string
  readonly environment: Readonly<Record<string, string>>
  /** Files to bring back from the scratch folder. */
  readonly outputs?: readonly string[]
  /** More variables, whose values may name the scratch folder as `{scratch}`. */
  readonly scratchEnvironment?: Readonly<Record<string, string>>
  readonly wallTimeMs: number
}

export interface CommandOutcome {
  readonly passed: boolean
  /** How it ended, in words; with the end of what it printed where it failed. */
  readonly detail: string
  readonly output: string
  readonly durationMs: number
  /** `bubblewrap` and the like; empty when it was not run. */
  readonly tier: string
  readonly files: ReadonlyMap<string, Uint8Array>
}

/**
 * What `root` is called inside. The same for every machine, so that it never lies where a sandbox has files of its own, and links
 * between checkout and dependencies, which are relative, lead to the same places.
 */
export const insideRoot = '/target'

const maxOutputBytes = 4 * 1024 * 1024
const maxFileBytes = 64 * 1024 * 1024
const memoryBytes = 2 * 1024 * 1024 * 1024
const processes = 256
const shownTail = 1500
const callGraceMs = 30_000

/**
 * Where the scratch folder lies depends on the tier, so a few lines of Node inside put it into the variables that want it.
 * The program's own ending is passed on: its exit code, or its signal as 128 + number.
 */
const wrapper = `
const { spawnSync } = require('node:child_process')
const { constants } = require('node:os')
const [given, ...argv] = process.argv.slice(1)
const scratch = process.env.NEXUS_SCRATCH
const env = { ...process.env }
for (const [name, value] of Object.entries(JSON.parse(given))) env[name] = value.replaceAll('{scratch}', scratch)
const { status, signal, error } = spawnSync(argv[0], argv.slice(1), { stdio: 'inherit', env })
if (error) console.error(String(error))
process.exitCode = error ? 127 : signal ? 128 + constants.signals[signal] : status
`

/** Runs a command of the target in the sandbox. It is as trusted as the target's own tests: at most a recipe has changed the code. */
export async function runTargetCommand(
  sandbox: Client<typeof ExecutionSandboxService>,
  command: TargetCommand,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  const { folder, dependencies } = command.checkout
  const inside = (place: string) => path.posix.join(insideRoot, path.relative(command.root, place))
  const mounted = dependencies === undefined ? [folder] : [folder, path.dirname(dependencies)]
  const request = {
    command: ['node', '-e', wrapper, '--', JSON.stringify(command.scratchEnvironment ?? {}), ...command.argv],
    environment: { ...command.environment },
    workingDirectory: inside(folder),
    mounts: mounted.map((place) => ({ hostPath: place, path: inside(place) })),
    outputs: [...(command.outputs ?? [])],
    limits: {
      wallTimeMs: command.wallTimeMs,
      memoryBytes: BigInt(memoryBytes),
      processes,
      outputBytes: BigInt(maxOutputBytes),
      fileBytes: BigInt(maxFileBytes),
    },
    leastTier: Tier.HOST,
    trust: Trust.TARGET_OWN,
  }
  const output: Uint8Array[] = []
  let verdict: Verdict | undefined
  const options = { signal, timeoutMs: command.wallTimeMs + callGraceMs }
  for await (const { event } of sandbox.execute(request, options)) {
    if (event.case === 'verdict') verdict = event.value
    else if (event.value !== undefined) output.push(event.value)
  }
  invariant(verdict !== undefined, 'the sandbox ends every execution with a verdict')
  return outcomeOf(verdict, Buffer.concat(output).toString('utf8'))
}

const tierNames: Readonly<Record<number, string>> = {
  [Tier.HOST]: 'host',
  [Tier.UNSHARE]: 'unshare',
  [Tier.BUBBLEWRAP]: 'bubblewrap',
  [Tier.DOCKER]: 'docker',
}

function outcomeOf(verdict: Verdict, output: string): CommandOutcome {
  const passed = verdict.outcome === Outcome.EXITED && verdict.exitCode === 0
  const tail = output.trim().slice(-shownTail)
  return {
    passed,
    detail: passed ? '' : [endingOf(verdict), tail].filter((part) => part !== '').join('\n'),
    output,
    durationMs: verdict.durationMs,
    tier: tierNames[verdict.tier] ?? '',
    files: new Map(verdict.files.map((file) => [file.path, file.content])),
  }
}

function endingOf(verdict: Verdict): string {
  const seconds = (verdict.durationMs / 1000).toFixed(1)
  switch (verdict.outcome) {
    case Outcome.EXITED:
      return `it ended with exit code ${verdict.exitCode} after ${seconds} s`
    case Outcome.SIGNALED:
      return `${verdict.signal} ended it after ${seconds} s`
    case Outcome.TIMED_OUT:
      return `it was stopped after ${seconds} s, its time limit`
    case Outcome.OUT_OF_MEMORY:
      return 'it needed more memory than it may have'
    case Outcome.OUTPUT_LIMIT:
      return 'it printed more than it may'
    case Outcome.FILE_LIMIT:
      return 'it wrote more to disk than it may'
    case Outcome.REFUSED:
      return `the sandbox did not run it: ${verdict.refusal}`
    default:
      return 'it was canceled'
  }
}
