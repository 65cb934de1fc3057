import { estimateEffect, learnersOf } from '../services/meta-controller/analysis/causal/estimate.ts'
import type { Learner } from '../services/meta-controller/analysis/causal/learner.ts'
import { meanOf, varianceOf } from '../services/platform/statistics/order.ts'
import { seededRandom } from '../services/platform/statistics/random.ts'
import { runFile } from './causal/file.ts'
import { type Measured, measure } from './causal/measure.ts'
import { type Infants, readInfants, surfaceA, surfaceB, type World } from './causal/surfaces.ts'
import { hiddenWorld, type Range } from './causal/worlds.ts'
import { dataFile } from './data.ts'
import type { Bench } from './main.ts'

const source = 'github py-why/EconML, econml/data/ihdp/sim.csv (MIT)'
const seeds = 100
/** Worlds of each kind with and without a hidden common cause: a multiple of the nine ways to make one. */
const worlds = 72
const weakWorlds = 27
/** In so many worlds all refutations are computed; in the others those that can suspect a hidden cause. */
const refutedWorlds = 18
const refits = 20
const strong: Range = [0.7, 2]
const weak: Range = [0.2, 0.7]

/**
 * The causal engine on the two response surfaces of Hill 2011 over the infants' covariates, and on worlds with and without a
 * hidden common cause (see `bench/causal/worlds.ts` for what these are). `--csv FILE` measures a file instead.
 */
export const run: Bench = async (print, { csv }) => {
  if (csv !== undefined) return runFile(csv, print)
  const infants = readInfants(dataFile('ihdp/sim.csv', source))
  const b = measureSurface(infants, surfaceB, learnersOf.full)
  const a = measureSurface(infants, surfaceA, learnersOf.fast)
  print(`${seeds} seeds each                     surface A   surface B`)
  const line = (name: string, of: (all: readonly Measured[]) => number) =>
    print(`${name.padEnd(36)}${of(a).toFixed(3).padStart(8)}    ${of(b).toFixed(3).padStart(8)}`)
  line('mean |error|, difference of means', (all) => mean(all, (one) => Math.abs(one.naiveError)))
  line('mean |error|, outcome models alone', (all) => mean(all, (one) => Math.abs(one.modelError)))
  line('mean |error|, AIPW', (all) => mean(all, (one) => Math.abs(one.error)))
  line('bias of AIPW', (all) => mean(all, (one) => one.error))
  line('  in its standard errors', biasInErrors)
  line('root PEHE, DR-learner out of fold', (all) => mean(all, (one) => one.pehe))
  line('coverage of the 95 % interval', (all) => mean(all, (one) => Number(one.isCovered)))
  return {
    ate_error: mean(b, (one) => Math.abs(one.error)),
    pehe: mean(b, (one) => one.pehe),
    coverage: mean(b, (one) => Number(one.isCovered)),
    surface_a_bias_se: biasInErrors(a),
    ...measureConfounding(infants, print),
  }
}

function mean<T>(all: readonly T[], of: (one: T) => number): number {
  return meanOf(all.map(of))
}

/** Bias over seeds, in the standard errors of its mean. */
function biasInErrors(all: readonly Measured[]): number {
  const errors = all.map((one) => one.error)
  return meanOf(errors) / Math.sqrt(varianceOf(errors) / errors.length)
}

type Surface = (infants: Infants, random: ReturnType<typeof seededRandom>) => World

function measureSurface(infants: Infants, surface: Surface, learners: readonly Learner[]): Measured[] {
  return Array.from({ length: seeds }, (_, index) =>
    measure(surface(infants, seededRandom(`${surface.name} ${index + 1}`)), learners, index + 1),
  )
}

/** How often a hidden common cause is suspected, with the outcomes before the treatment and without. */
function measureConfounding(infants: Infants, print: (line: string) => void) {
  print('')
  print('hidden common cause suspected in      of worlds   by outcomes before   by t, y, x alone')
  const planted = suspicions(
    infants,
    { count: worlds, isPlanted: true, range: strong, title: 'planted' },
    print,
  )
  suspicions(infants, { count: weakWorlds, isPlanted: true, range: weak, title: 'planted, weak' }, print)
  const clean = suspicions(infants, { count: worlds, isPlanted: false, range: strong, title: 'clean' }, print)
  print('')
  print(`refutations failed, of ${refutedWorlds} worlds       planted     clean`)
  for (const [name, failures] of planted.failed)
    print(`${name.padEnd(36)}${String(failures).padStart(8)}  ${String(clean.failed.get(name)).padStart(8)}`)
  return { confounder_recall: planted.share, clean_flag_rate: clean.share }
}

interface Kind {
  readonly count: number
  readonly isPlanted: boolean
  readonly range: Range
  readonly title: string
}

function suspicions(
  infants: Infants,
  { count, isPlanted, range, title }: Kind,
  print: (line: string) => void,
) {
  let suspected = 0
  let blind = 0
  const failed = new Map<string, number>()
  for (let index = 0; index < count; index++) {
    const world = hiddenWorld({ index, isPlanted, range }, infants, seededRandom(`${title} ${index + 1}`))
    const effect = estimateEffect(
      {
        treatment: world.treated,
        outcome: world.y,
        covariates: world.covariates,
        controlOutcomes: world.before,
        seed: index,
      },
      { refits: index < refutedWorlds ? refits : 0 },
    )
    if (effect.kind === 'refused') continue
    if (effect.confounderSuspected) suspected++
    for (const { name, passed } of effect.refutations) {
      if (index < refutedWorlds) failed.set(name, (failed.get(name) ?? 0) + Number(!passed))
      if (name === 'unobserved common cause' && !passed) blind++
    }
  }
  print(
    `${title.padEnd(38)}${String(count).padStart(9)}   ${percent(suspected / count)}   ${percent(blind / count)}`,
  )
  return { share: suspected / count, failed }
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(18)
