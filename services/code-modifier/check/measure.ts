import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Random, seededRandom } from '../../platform/statistics/random.ts'
import type { Checkout } from '../../platform/target/checkout.ts'
import { Refused } from '../gates.ts'
import type { BenchmarkedOperation, RecipeInput } from '../recipes/outcome.ts'
import { benchmarkFile, profileFolder, readSamples, runsByOperation, type Samples } from './benchmark.ts'
import { type Comparison, compareRuns, quantile, type Runs } from './compare.ts'
import { changeOverRounds, type Round } from './rounds.ts'
import { type CommandOutcome, insideRoot, runTargetCommand } from './run-command.ts'
import type { GateRun } from './run-tests.ts'
import { type Slice, slicesOf } from './slices.ts'

const benchmarkTimeMs = 120_000
/** Microseconds between samples of the profiler: fine enough to rank functions by, and a few hundred kilobytes a run. */
const profileIntervalUs = 2000

/** What a profiled run of the benchmark on the base tells a recipe. */
export type BaseMeasure = Pick<RecipeInput, 'profiles' | 'benchmark'>

/**
 * Runs the benchmark once on the base under V8's profiler; the profiles go into `folder`, which the caller removes.
 * A target without a benchmark tells a recipe nothing.
 */
export async function measureBase(run: GateRun, base: Checkout, folder: string): Promise<BaseMeasure> {
  if (run.manifest.commands.benchmark === undefined) return { profiles: [], benchmark: [] }
  return run.gates.pass('profile', async () => {
    const outcome = await runBenchmark(run, base, { profiled: true })
    const samples = readSamples(outcome)
    if (typeof samples === 'string')
      throw new Refused(`the target's benchmark fails before the change: ${samples}`)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const profiles: string[] = []
    for (const [name, content] of outcome.files) {
      if (!name.endsWith('.cpuprofile')) continue
      const place = path.join(folder, path.basename(name))
      await writeFile(place, asOnHost(content, run.dataFolder))
      profiles.push(place)
    }
    const benchmark = operationsOf(samples)
    const detail = `${benchmark.length} operations measured under the profiler in ${(outcome.durationMs / 1000).toFixed(1)} s`
    return { result: { profiles, benchmark }, detail, tier: outcome.tier }
  })
}

/** A profile names the files as they are called inside; a recipe knows them as they are called here. */
function asOnHost(profile: Uint8Array, dataFolder: string): string {
  const here = pathToFileURL(dataFolder).href
  return Buffer.from(profile).toString('utf8').replaceAll(`"file://${insideRoot}/`, `"${here}/`)
}

function operationsOf(samples: Samples): BenchmarkedOperation[] {
  return Object.entries(samples).map(([operation, values]) => ({
    operation,
    p99Ms: quantile(
      values.toSorted((a, b) => a - b),
      0.99,
    ),
  }))
}

/** Rounds that are measured at most: a benchmark that looks worse is measured again until that is clear or proves to be noise. */
const maxExtraRounds = 6
/** A benchmark as a whole that got slower by more than this, at the better end of its interval, refuses the change. */
const clearlyWorse = 0.1
/** From here on it looks worse: more than runs of equal code usually differ by. */
const suspicious = 0.03

/** An operation before and after, and the slices that the comparison rests on. */
export interface MeasuredOperation extends Comparison {
  readonly slices: readonly Slice[]
}

interface Sides {
  readonly base: Checkout
  readonly changed: Checkout
}

/**
 * Runs the benchmark on both sides in rounds, which side first by lot, and compares each operation. Refuses the change when the whole
 * got clearly worse. The lots make it a randomised comparison; they follow from `seedText`.
 */
export async function measureBoth(
  run: GateRun,
  options: Sides & { readonly runs: number; readonly seedText: string },
): Promise<MeasuredOperation[]> {
  if (run.manifest.commands.benchmark === undefined) return []
  return run.gates.pass('benchmark', async () => {
    const random = seededRandom(options.seedText)
    const rounds: Round[] = []
    let tier = ''
    const another = async () => {
      const measured = await measureRound(run, options, random() < 0.5)
      rounds.push(measured.round)
      tier = measured.tier
    }
    while (rounds.length < options.runs) await another()
    while (looksWorse(rounds) && rounds.length < options.runs + maxExtraRounds) await another()
    const before = runsByOperation(rounds.map((round) => round.before))
    const after = runsByOperation(rounds.map((round) => round.after))
    const compared = compare(before, after, random)
    refuseWorse(rounds)
    const result = compared.map((one) => ({ ...one, slices: slicesOf(one.operation, rounds) }))
    return { result, detail: describe(result), tier }
  })
}

async function measureRound(
  run: GateRun,
  { base, changed }: Sides,
  changedFirst: boolean,
): Promise<{ round: Round; tier: string }> {
  const measure = async (name: string, checkout: Checkout) => {
    const outcome = await runBenchmark(run, checkout, { profiled: false })
    const samples = readSamples(outcome)
    if (typeof samples === 'string')
      throw new Refused(`the target's benchmark fails ${name} the change: ${samples}`)
    return { samples, tier: outcome.tier }
  }
  const early = changedFirst ? await measure('after', changed) : undefined
  const before = await measure('before', base)
  const after = early ?? (await measure('after', changed))
  return { round: { before: before.samples, after: after.samples, changedFirst }, tier: after.tier }
}

function runBenchmark(
  run: GateRun,
  checkout: Checkout,
  { profiled }: { profiled: boolean },
): Promise<CommandOutcome> {
  const { benchmark = [] } = run.manifest.commands
  const profiler = `--cpu-prof --cpu-prof-interval=${profileIntervalUs} --cpu-prof-dir={scratch}/${profileFolder}`
  const command = {
    argv: benchmark,
    checkout,
    root: run.dataFolder,
    environment: run.manifest.environment,
    outputs: profiled ? [benchmarkFile, `${profileFolder}/*`] : [benchmarkFile],
    scratchEnvironment: {
      NEXUS_BENCH_OUT: `{scratch}/${benchmarkFile}`,
      ...(profiled && { NODE_OPTIONS: profiler }),
    },
    wallTimeMs: benchmarkTimeMs,
  }
  return runTargetCommand(run.sandbox, command, run.signal)
}

/** What is measured no longer cannot be compared, and what cannot be compared is not fine. */
function compare(
  before: ReadonlyMap<string, Runs>,
  after: ReadonlyMap<string, Runs>,
  random: Random,
): Comparison[] {
  if (before.size === 0) throw new Refused("no operation is in every run of the target's benchmark")
  return [...before].map(([operation, runs]) => {
    const changed = after.get(operation)
    if (changed === undefined)
      throw new Refused(`the target's benchmark does not measure ${operation} after the change`)
    return compareRuns(operation, runs, changed, random)
  })
}

/** Worse, but perhaps by chance: as long as that may be, another round is worth its time. */
function looksWorse(rounds: readonly Round[]): boolean {
  const { estimate, low } = changeOverRounds(rounds)
  return estimate > suspicious && low <= clearlyWorse
}

function refuseWorse(rounds: readonly Round[]): void {
  const { low } = changeOverRounds(rounds)
  if (low > clearlyWorse)
    throw new Refused(`the target's benchmark got slower by at least ${Math.round(low * 100)} %`)
}

function describe(comparisons: readonly Comparison[]): string {
  const changed = comparisons.toSorted(
    (a, b) => a.meanAfterMs / a.meanBeforeMs - b.meanAfterMs / b.meanBeforeMs,
  )
  const lines = changed.map((one) => {
    const percent = (value: number) => `${value > 0 ? '+' : ''}${Math.round(value * 100)} %`
    const interval = `${percent(one.relativeLow)} to ${percent(one.relativeHigh)}`
    return `${one.operation} p95 ${one.p95BeforeMs.toFixed(1)} → ${one.p95AfterMs.toFixed(1)} ms (mean ${interval})`
  })
  return lines.join('; ')
}
