import { type Obligation, obligationOf, shown, valueIn } from './obligation.ts'
import type { RollbackPlan } from './plan.ts'
import { any, numeral, Unprovable } from './script.ts'

const maxStates = 500
const maxTransitions = 5000

/**
 * From every state of the rollout the stable version can be reached in time. By the duality of shortest paths: distances that no
 * transition can shorten are at most the shortest ones, so a state with a larger one than allowed is too far, or has no way back.
 */
export function rollbackObligation(plan: RollbackPlan): Obligation {
  const { stable, states, transitions, withinSeconds } = plan
  const name = 'way back to stable'
  const statement = `from every state of the rollout ${stable} is reached within ${withinSeconds} s`
  return obligationOf({ property: 'rollback reachability', name, statement }, (script) => {
    checkStates(plan)
    const distances = new Map(states.map((state) => [state, script.real(`seconds from ${state}`)]))
    script.assert(`(= ${distances.get(stable)} 0.0)`)
    for (const { from, to, seconds } of transitions) {
      const longer = `(+ ${distances.get(to)} ${numeral(seconds, `seconds from ${from} to ${to}`)})`
      script.assert(`(<= ${distances.get(from)} ${longer})`)
    }
    const limit = numeral(withinSeconds, 'the time to get back')
    script.assert(any([...distances.values()].map((distance) => `(> ${distance} ${limit})`)))
    return (values) => {
      const far = states.toSorted(
        (a, b) => valueIn(values, `seconds from ${b}`) - valueIn(values, `seconds from ${a}`),
      )[0]
      return wayBackInWords(plan, far ?? stable)
    }
  })
}

function checkStates({ stable, states, transitions }: RollbackPlan): void {
  if (states.length > maxStates || transitions.length > maxTransitions)
    throw new Unprovable(`more than ${maxStates} states or ${maxTransitions} transitions`)
  const known = new Set(states)
  if (!known.has(stable)) throw new Unprovable(`${stable} is not among the states of the rollout`)
  for (const { from, to } of transitions) {
    for (const state of [from, to])
      if (!known.has(state)) throw new Unprovable(`${state} is not among the states of the rollout`)
  }
}

function wayBackInWords(plan: RollbackPlan, state: string): string {
  const { stable, withinSeconds } = plan
  const way = shortestWay(plan, state)
  if (way === undefined) return `from ${state} no transition leads back to ${stable}`
  return `from ${state} the shortest way back takes ${shown(way.seconds)} s, ${withinSeconds} s are allowed: ${way.states.join(' → ')}`
}

/** Bellman and Ford: only for the words. */
function shortestWay(
  plan: RollbackPlan,
  from: string,
): { seconds: number; states: readonly string[] } | undefined {
  const ways = new Map<string, { seconds: number; states: readonly string[] }>([
    [plan.stable, { seconds: 0, states: [plan.stable] }],
  ])
  for (let round = 0; round < plan.states.length; round++) {
    for (const { from: before, to, seconds } of plan.transitions) {
      const rest = ways.get(to)
      if (rest === undefined || rest.seconds + seconds >= (ways.get(before)?.seconds ?? Infinity)) continue
      ways.set(before, { seconds: rest.seconds + seconds, states: [before, ...rest.states] })
    }
  }
  return ways.get(from)
}
