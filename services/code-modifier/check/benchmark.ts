import { z } from 'zod'
import type { Runs } from './compare.ts'
import type { CommandOutcome } from './run-command.ts'

/** Where the target's benchmark writes its result, in the scratch folder, and the profiles of its run. */
export const benchmarkFile = 'bench.json'
export const profileFolder = 'profiles'

const maxSamples = 100_000
const maxOperations = 64

const result = z.object({
  samples: z
    .record(z.string().min(1).max(128), z.array(z.number().nonnegative()).min(1).max(maxSamples))
    .refine((samples) => Object.keys(samples).length <= maxOperations, `at most ${maxOperations} operations`),
})

/** Latencies by operation, in milliseconds, of one run. */
export type Samples = Readonly<Record<string, readonly number[]>>

/** Reads what a run of the benchmark left. Gives a sentence instead when it failed or its file is not what it should be. */
export function readSamples(outcome: CommandOutcome): Samples | string {
  if (!outcome.passed) return outcome.detail
  const bytes = outcome.files.get(benchmarkFile)
  if (bytes === undefined) return 'it wrote no file where the variable NEXUS_BENCH_OUT says'
  try {
    const parsed = result.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')))
    if (parsed.success) return parsed.data.samples
    const issue = parsed.error.issues[0]
    return `its result is wrong at ${issue?.path.join('.') || 'its root'}: ${issue?.message}`
  } catch (error) {
    return `its result is not JSON: ${(error as Error).message}`
  }
}

/** For each operation that every run has: its samples, a list a run. */
export function runsByOperation(runs: readonly Samples[]): Map<string, Runs> {
  const [first = {}, ...others] = runs
  const shared = Object.keys(first).filter((operation) => others.every((run) => run[operation] !== undefined))
  return new Map(shared.map((operation) => [operation, runs.map((run) => run[operation] ?? [])]))
}
