import { createProver } from '../services/meta-controller/proof/prover.ts'
import { type Play, playMind } from './gym/mind.ts'
import { consult } from './gym/oracle.ts'
import { proverOf } from './gym/proof.ts'
import { playRules } from './gym/rules-player.ts'
import { type Score, scoreOf } from './gym/score.ts'
import { drawWorld, type World } from './gym/world.ts'
import type { Bench } from './main.ts'

const firstSeed = Number(process.env.NEXUS_GYM_FIRST_SEED ?? 1)
const worlds = Number(process.env.NEXUS_GYM_WORLDS ?? 300)

interface Row {
  readonly world: World
  readonly mind: Score
  readonly rules: Score
  readonly play: Play
}

/**
 * Plays each world three times with the same clients and the same luck: the oracle with every intervention at hand, the engines, and
 * the rule-based controller.
 */
export const run: Bench = async (print) => {
  const prover = createProver()
  const prove = proverOf(prover)
  const rows: Row[] = []
  try {
    for (let seed = firstSeed; seed < firstSeed + worlds; seed++) {
      const world = drawWorld(seed)
      const verdict = consult(world)
      const play = await playMind(world, prove)
      const mind = scoreOf(world, verdict, play)
      rows.push({ world, mind, play, rules: scoreOf(world, verdict, playRules(world)) })
      if (process.env.NEXUS_GYM_VERBOSE && !mind.isRight)
        print(
          `${seed} ${world.kind} best ${verdict.best.intervention?.name} ${verdict.best.value.toFixed(0)} of ${verdict.nothing.late.toFixed(1)}/${verdict.nothing.ratePerS.toFixed(0)} :: ${play.ending} ${play.promoted?.name} ${play.seconds} ${play.reason}`,
        )
    }
  } finally {
    await prover.close()
  }
  return report(print, rows)
}

function report(print: (line: string) => void, rows: readonly Row[]): Record<string, number> {
  const kinds = [...new Set(rows.map(({ world }) => world.kind))]
  print(`${rows.length} worlds, seeds ${rows[0]?.world.seed} to ${rows.at(-1)?.world.seed}`)
  print(
    'kind                 worlds  right  rules   regret  rules   rolled out  promoted  rolled back  inconclusive',
  )
  for (const kind of kinds) {
    const own = rows.filter(({ world }) => world.kind === kind)
    const count = (test: (row: Row) => boolean) => String(own.filter(test).length)
    print(
      [
        kind.padEnd(20),
        String(own.length).padStart(6),
        count(({ mind }) => mind.isRight).padStart(6),
        count(({ rules }) => rules.isRight).padStart(6),
        meanOf(own.map(({ mind }) => mind.regret))
          .toFixed(0)
          .padStart(9),
        meanOf(own.map(({ rules }) => rules.regret))
          .toFixed(0)
          .padStart(9),
        count(({ play }) => play.rolledOut !== undefined).padStart(9),
        count(({ play }) => play.ending === 'promoted').padStart(10),
        count(({ play }) => play.ending === 'aborted').padStart(10),
        count(({ play }) => play.ending === 'inconclusive').padStart(10),
      ].join(' '),
    )
  }
  for (const { world, mind } of rows)
    for (const violation of mind.violations) print(`seed ${world.seed}: ${violation}`)
  const best = meanOf(rows.map(({ mind }) => mind.best))
  const regret = meanOf(rows.map(({ mind }) => mind.regret))
  const rulesRegret = meanOf(rows.map(({ rules }) => rules.regret))
  const share = (test: (row: Row) => boolean, among: readonly Row[]) =>
    among.length === 0 ? 0 : among.filter(test).length / among.length
  return {
    right_rate: rounded(share(({ mind }) => mind.isRight, rows)),
    regret: rounded(regret / best),
    regret_vs_rules: rounded(regret / rulesRegret),
    false_rollback: rounded(
      share(
        ({ mind }) => mind.isFalseRollback,
        rows.filter(({ mind }) => mind.isGoodRollout),
      ),
    ),
    budget_violations: rows.reduce((sum, { mind }) => sum + mind.violations.length, 0),
    rules_right_rate: rounded(share(({ rules }) => rules.isRight, rows)),
    rules_regret: rounded(rulesRegret / best),
    root_cause_right: rounded(0),
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000
}
