import type { Property } from '../../services/meta-controller/analysis/proof/obligation.ts'
import type { Random } from '../../services/platform/statistics/random.ts'
import { type Draft, oneOf } from './meshes.ts'
import { flowClasses } from './mutations-flow.ts'
import { planClasses } from './mutations-plan.ts'

const classes = [...flowClasses, ...planClasses]

/** A draft with one bug in it. */
export interface Bug {
  readonly property: Property
  readonly mutation: string
  readonly plan: Draft
}

const maxTries = 200

/**
 * Puts one bug of the class with that number into a copy of the plan. A draw that does no harm (a time-out that had slack) is drawn
 * again; undefined when this plan cannot be broken in that way.
 */
export function breakPlan(plan: Draft, number: number, random: Random): Bug | undefined {
  const { property, mutations, isBug = () => true } = classes[number % classes.length]!
  for (let tried = 0; tried < maxTries; tried++) {
    const [mutation, mutate] = oneOf(random, Object.entries(mutations))
    const broken = structuredClone(plan)
    mutate(broken, random)
    if (isBug(broken)) return { property, mutation, plan: broken }
  }
  return undefined
}
