import type { Property, Verdict } from '../../services/meta-controller/analysis/proof/obligation.ts'
import { obligationsOf } from '../../services/meta-controller/analysis/proof/obligations.ts'
import type { Prover } from '../../services/meta-controller/proof/prover.ts'
import { seededRandom } from '../../services/platform/statistics/random.ts'
import { validPlan } from './meshes.ts'
import { type Bug, breakPlan } from './mutations.ts'
import {
  type Replay,
  replayAmplification,
  replayBurn,
  replayConcurrency,
  replayDeadline,
  replayInversion,
} from './replay-gym.ts'
import {
  replayAccess,
  replayGate,
  replayQuota,
  replayRollback,
  replaySchedule,
  replaySteps,
} from './replay-plain.ts'

const replays: Readonly<Record<Property, (plan: Bug['plan'], verdict: Verdict) => Replay>> = {
  deadline: replayDeadline,
  'timeout inversion': replayInversion,
  'retry amplification': replayAmplification,
  concurrency: replayConcurrency,
  'rollout plan': replaySteps,
  'rollout burn': replayBurn,
  'rollback reachability': replayRollback,
  quota: replayQuota,
  'risk gate': replayGate,
  'policy bypass': replayAccess,
  schedule: replaySchedule,
}

/** What became of one seeded bug. */
export interface Finding {
  readonly seed: number
  readonly property: Property
  readonly mutation: string
  /** Obligations of the mesh without the bug, and how many of them were not proven: false alarms. */
  readonly obligations: number
  readonly unproven: number
  readonly caught: boolean
  readonly words: string
  readonly replay: string
}

const maxDraws = 100

/** A valid mesh and the same with one bug; both from the seed alone. */
export function seededBug(seed: number): { readonly valid: Bug['plan']; readonly bug: Bug } {
  for (let draw = 0; draw < maxDraws; draw++) {
    const random = seededRandom(`proof ${seed} ${draw}`)
    const valid = validPlan(random)
    const bug = breakPlan(valid, seed, random)
    if (bug !== undefined) return { valid, bug }
  }
  throw new Error(`no mesh of seed ${seed} can be broken in that way`)
}

/** Caught is a bug that is refuted by a counterexample which, replayed, shows the violation, in a mesh that was proven without it. */
export async function findBug(prover: Prover, seed: number): Promise<Finding> {
  const { valid, bug } = seededBug(seed)
  const signal = new AbortController().signal
  const before = await prover.prove(obligationsOf(valid), signal)
  const unproven = before.filter(({ status }) => status !== 'proven')
  const after = await prover.prove(
    obligationsOf(bug.plan).filter(({ property }) => property === bug.property),
    signal,
  )
  const refuted = after.filter(({ status }) => status === 'refuted')
  const played = refuted.map((verdict) => ({ verdict, replay: replays[bug.property](bug.plan, verdict) }))
  const shown = played.find(({ replay }) => !replay.shows) ?? played[0]
  return {
    seed,
    property: bug.property,
    mutation: bug.mutation,
    obligations: before.length,
    unproven: unproven.length,
    caught: unproven.length === 0 && played.length > 0 && played.every(({ replay }) => replay.shows),
    words:
      shown?.verdict.counterexample?.words ??
      [...unproven, ...after].map(({ reason = '' }) => reason).join(' '),
    replay: shown?.replay.words ?? '',
  }
}
