import { dataFile } from './data.ts'
import type { Bench } from './main.ts'
import {
  type Accusations,
  accusationsIn,
  type Outcome,
  outcomesOf,
  questionsOf,
  windowSlotsOf,
} from './rca/cases.ts'
import { readPetShop, type Traffic } from './rca/petshop.ts'

// PetShop (arXiv 2311.04806): a request-serving application, its call graph, a normal period and incidents of known cause.
// An incident is right at rank k when its cause is among the first k services. `top1` and `top3` are over the `test`
// incidents of every traffic that has a normal period; `false_culprit_rate` over the windows of the normal period.

const source = 'github amazon-science/petshop-root-cause-analysis at 1c5992d'
const timingRounds = 5

export const run: Bench = async (print) => {
  const { traffics, without } = await readPetShop(dataFile('petshop/petshop.tar.gz', source))
  for (const name of without) print(`${name}: left out, it has no normal period`)
  const outcomes = traffics.flatMap(outcomesOf)
  printOutcomes(print, outcomes)
  const accusations = traffics.map((traffic) => accusationsOf(traffic, print))
  const test = outcomes.filter(({ split }) => split === 'test')
  const counted = test.length > 0 ? test : outcomes
  return {
    top1: shareWithin(counted, 1),
    top3: shareWithin(counted, 3),
    false_culprit_rate: rateOf(accusations),
    ms_per_case: msPerCase(traffics),
  }
}

function printOutcomes(print: (line: string) => void, outcomes: readonly Outcome[]): void {
  const groups = Map.groupBy(outcomes, ({ traffic, split, mass }) =>
    [traffic.padEnd(16), split.padEnd(6), mass.padEnd(8)].join(' '),
  )
  print(`${'traffic          split  metric'.padEnd(32)} issues  top-1  top-3  named  of them wrongly`)
  for (const [group, own] of [...groups].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const named = own.filter(({ culprit }) => culprit !== undefined)
    const wrong = named.filter(({ culprit, rootCause }) => culprit !== rootCause)
    const shares = [shareWithin(own, 1), shareWithin(own, 3)].map((share) => share.toFixed(2).padStart(6))
    const counts = [named.length, wrong.length].map((count) => String(count).padStart(6))
    print([group, String(own.length).padStart(6), ...shares, ...counts].join(' '))
  }
}

function accusationsOf({ name, normal, issues }: Traffic, print: (line: string) => void): Accusations {
  const windowSlots = windowSlotsOf(issues)
  const found = questionsOf(issues).map((question) => {
    const one = accusationsIn(normal, question, windowSlots)
    print(
      `${name}, ${question.target}, ${question.mass}: normal period, a culprit in ${one.accused} of ${one.windows} windows of ${windowSlots} slots`,
    )
    return one
  })
  return sumOf(found)
}

function sumOf(accusations: readonly Accusations[]): Accusations {
  return accusations.reduce(
    (sum, one) => ({ windows: sum.windows + one.windows, accused: sum.accused + one.accused }),
    { windows: 0, accused: 0 },
  )
}

function rateOf(accusations: readonly Accusations[]): number {
  const { windows, accused } = sumOf(accusations)
  return windows === 0 ? 0 : accused / windows
}

function shareWithin(outcomes: readonly Outcome[], rank: number): number {
  return outcomes.length === 0 ? 0 : outcomes.filter((one) => one.rank <= rank).length / outcomes.length
}

/** Processor time of all incidents, with the learning of their normal periods, best of some rounds. */
function msPerCase(traffics: readonly Traffic[]): number {
  const cases = traffics.reduce((count, { issues }) => count + issues.length, 0)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < timingRounds; round++) {
    const before = process.cpuUsage()
    for (const traffic of traffics) outcomesOf(traffic)
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1000)
  }
  return cases === 0 ? 0 : best / cases
}
