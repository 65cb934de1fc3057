import { createProver } from '../services/meta-controller/proof/prover.ts'
import type { Bench } from './main.ts'
import { type Finding, findBug } from './proof/bugs.ts'
import { asked, type Timing, timed, tree } from './proof/speed.ts'

const bugs = 200
const chainLength = 20
const edges = 200
const fanOut = 4

/**
 * The proof engine: how long a warm solver takes, and seeded configuration bugs, each in a mesh that is proven without it. A bug is
 * caught when it is refuted by counterexamples and each of these, replayed in the gym's simulator (or by plain arithmetic where
 * no requests flow), shows the violation.
 */
export const run: Bench = async (print) => {
  const prover = createProver({ maxTotalMs: 120_000 })
  try {
    const chain20 = await timed(prover, asked(tree(chainLength - 1, 1)))
    print(`a chain of ${chainLength}: ${shownTiming(chain20)}`)
    const edges200 = await timed(prover, tree(edges, fanOut))
    print(`${edges} edges by contracts: ${shownTiming(edges200)}`)
    const findings: Finding[] = []
    for (let seed = 1; seed <= bugs; seed++) {
      const finding = await findBug(prover, seed)
      findings.push(finding)
      if (!finding.caught) print(missed(finding))
    }
    for (const line of table(findings)) print(line)
    const caught = findings.filter((finding) => finding.caught).length
    return {
      chain20_ms: round(chain20.bestMs),
      edges200_ms: round(edges200.bestMs),
      bugs_caught: caught,
      bugs: findings.length,
    }
  } finally {
    await prover.close()
  }
}

function shownTiming({ obligations, bestMs, medianMs }: Timing): string {
  return `${obligations} obligations in ${round(bestMs)} ms (median ${round(medianMs)} ms)`
}

function missed({ seed, property, mutation, words, replay, unproven }: Finding): string {
  return `MISSED seed ${seed}, ${property}, ${mutation}; false alarms ${unproven}; ${words}; replay: ${replay}`
}

/** One line for each property, with one counterexample and what its replay showed. */
function table(findings: readonly Finding[]): string[] {
  const alarms = findings.reduce((sum, { unproven }) => sum + unproven, 0)
  const obligations = findings.reduce((sum, finding) => sum + finding.obligations, 0)
  const lines = [...Map.groupBy(findings, ({ property }) => property)].flatMap(([property, group]) => {
    const caught = group.filter((finding) => finding.caught).length
    const [first] = group
    return [
      `${property}: ${caught} of ${group.length} caught`,
      `  seed ${first?.seed}, ${first?.mutation}: ${first?.words}`,
      `  replay: ${first?.replay}`,
    ]
  })
  return [`meshes without a bug: ${alarms} of ${obligations} obligations not proven`, ...lines]
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
