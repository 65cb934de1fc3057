import { type Random, seededRandom } from '../../../platform/statistics/random.ts'
import { type EffectEstimate, estimateEffect } from './estimate.ts'
import { type Refused, refuse } from './sample.ts'

/** How slots of time are to be switched. */
export interface SwitchbackDesign {
  readonly slots: number
  /** Slots that follow each other and are switched together: longer than an effect needs to build up and fade. */
  readonly blockSlots: number
  /** Slots at the beginning of each block that are not measured: what was before is still felt in them. */
  readonly washout?: number
  readonly seed: number
}

export interface SwitchbackSlot {
  readonly slot: number
  readonly block: number
  readonly isTreated: boolean
  /** False for a slot of the washout. */
  readonly isMeasured: boolean
  /** The probability with which the slot's block was treated. */
  readonly propensity: number
}

export type SwitchbackPlan = { readonly kind: 'plan'; readonly slots: readonly SwitchbackSlot[] } | Refused

const maxSlots = 1_000_000
const propensity = 0.5

/**
 * Draws which slots are treated (Bojinov, Simchi-Levi and Zhao 2023): blocks in pairs, in each pair one treated and one not, by
 * lot. The propensity is ½ by design, and slow drift is met in both arms alike. A last block without a partner is drawn by itself.
 */
export function planSwitchback({ slots, blockSlots, washout = 0, seed }: SwitchbackDesign): SwitchbackPlan {
  if (!(Number.isInteger(slots) && slots > 0 && slots <= maxSlots))
    return refuse(`slots is ${slots}: give a whole number from 1 to ${maxSlots}`)
  if (!(Number.isInteger(blockSlots) && blockSlots > 0))
    return refuse(`blockSlots is ${blockSlots}: give a whole number above 0`)
  if (!(Number.isInteger(washout) && washout >= 0 && washout < blockSlots))
    return refuse(`washout is ${washout}: give a whole number from 0 to below blockSlots (${blockSlots})`)
  const blocks = Math.ceil(slots / blockSlots)
  if (blocks < 2)
    return refuse(`${slots} slots are one block of ${blockSlots}: at least two blocks are needed`)
  const treatedBlocks = drawPairs(blocks, seededRandom(seed))
  return {
    kind: 'plan',
    slots: Array.from({ length: slots }, (_, slot) => {
      const block = Math.floor(slot / blockSlots)
      return {
        slot,
        block,
        isTreated: treatedBlocks[block]!,
        isMeasured: slot % blockSlots >= washout,
        propensity,
      }
    }),
  }
}

function drawPairs(blocks: number, random: Random): boolean[] {
  const result: boolean[] = []
  while (result.length < blocks) {
    const first = random() < propensity
    result.push(first, !first)
  }
  return result.slice(0, blocks)
}

/** What was measured in a slot of the plan. */
export interface SlotOutcome {
  readonly slot: number
  readonly outcome: number
  readonly covariates: readonly number[]
}

/**
 * The effect from slots that were switched by plan: washout slots are left out, the propensity is the plan's, rows of one pair of
 * blocks are taken as one, since a pair is the unit of which the drawing was made. Slots may be missing or out of order.
 */
export function effectOfSwitchback(
  plan: SwitchbackPlan,
  outcomes: readonly SlotOutcome[],
  seed: number,
): EffectEstimate | Refused {
  if (plan.kind === 'refused') return plan
  const stranger = outcomes.find(({ slot }) => plan.slots[slot] === undefined)
  if (stranger !== undefined)
    return refuse(`slot ${stranger.slot} is not in the plan of ${plan.slots.length} slots`)
  const measured = outcomes
    .filter(({ slot }) => plan.slots[slot]!.isMeasured)
    .toSorted((a, b) => a.slot - b.slot)
  const planned = measured.map(({ slot }) => plan.slots[slot]!)
  return estimateEffect({
    treatment: planned.map((slot) => slot.isTreated),
    outcome: measured.map((one) => one.outcome),
    covariates: measured.map((one) => one.covariates),
    propensity: planned.map((slot) => slot.propensity),
    blocks: planned.map((slot) => Math.floor(slot.block / 2)),
    seed,
  })
}
