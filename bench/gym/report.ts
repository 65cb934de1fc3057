import type { AlarmCount } from './alarms.ts'
import type { Play } from './mind.ts'
import type { Valued } from './oracle.ts'
import type { Score } from './score.ts'
import type { World } from './world.ts'

/** A world, what the engines made of it, and how both controllers did. */
export interface Row {
  readonly world: World
  /** What the oracle says, and the share of bad requests if nothing is done. */
  readonly verdict: { readonly best: Valued; readonly badShare: number }
  readonly play: Omit<Play, 'simulation'>
  /** Detection tells that an entry is out of the ordinary, half a minute after the onset. */
  readonly isTold: boolean
  readonly mind: Score
  readonly rules: Score
}

/** Worlds with a larger share of bad requests are to be told of. */
const noticeableShare = 0.01

type Print = (line: string) => void

const columns = ['worlds', 'right', 'rules', 'regret', 'rules', 'tried', 'kept', 'undone', 'unclear']
const width = 9

/** A line for each kind of world: how often right, and the mean regret in bad requests, ours and the rules'. */
export function printTable(print: Print, rows: readonly Row[]): void {
  print(`${rows.length} worlds, seeds ${rows[0]?.world.seed} to ${rows.at(-1)?.world.seed}, an hour each`)
  print(['kind of world'.padEnd(20), ...columns.map((column) => column.padStart(width))].join(''))
  for (const kind of [...new Set(rows.map(({ world }) => world.kind))]) {
    const own = rows.filter(({ world }) => world.kind === kind)
    const count = (test: (row: Row) => boolean) => own.filter(test).length
    const cells = [
      own.length,
      count(({ mind }) => mind.isRight),
      count(({ rules }) => rules.isRight),
      Math.round(meanOf(own.map(({ mind }) => mind.regret))),
      Math.round(meanOf(own.map(({ rules }) => rules.regret))),
      count(({ play }) => play.rolledOut !== undefined),
      count(({ play }) => play.ending === 'promoted'),
      count(({ play }) => play.ending === 'aborted'),
      count(({ play }) => play.ending === 'inconclusive'),
    ]
    print([kind.padEnd(20), ...cells.map((cell) => String(cell).padStart(width))].join(''))
  }
  for (const { world, verdict, play, mind } of rows) {
    if (!mind.isRight)
      print(
        `wrong: seed ${world.seed}, ${world.kind}: ${play.ending} ${play.promoted?.name ?? ''}, best were ${verdict.best.intervention?.name ?? 'nothing'}`,
      )
    for (const violation of mind.violations) print(`budget: seed ${world.seed}: ${violation}`)
  }
}

/** In words, what clients bore while the engines tried and rolled out. */
export function burnLine(rows: readonly Row[]): string {
  const burns = rows.filter(({ play }) => (play.trials ?? 0) > 0).map(({ mind }) => mind.burn)
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const most = Math.max(0, ...burns)
  return `true burn of trials and rollouts: ${percent(meanOf(burns))} of an hour's error budget on average, ${percent(most)} at most`
}

/** The figures by name; shares and ratios. */
export function figuresOf(rows: readonly Row[], alarms: AlarmCount): Record<string, number> {
  const best = meanOf(rows.map(({ mind }) => mind.best))
  const regret = meanOf(rows.map(({ mind }) => mind.regret))
  const rulesRegret = meanOf(rows.map(({ rules }) => rules.regret))
  const goodRollouts = rows.filter(({ mind }) => mind.isGoodRollout)
  const attributed = rows.filter(
    ({ world, play }) => world.rootCause !== undefined && play.culprit !== undefined,
  )
  const troubled = rows.filter(({ verdict }) => verdict.badShare > noticeableShare)
  const figures = {
    right_rate: shareOf(rows, ({ mind }) => mind.isRight),
    regret: regret / best,
    regret_vs_rules: regret / rulesRegret,
    false_rollback: shareOf(goodRollouts, ({ mind }) => mind.isFalseRollback),
    budget_violations: rows.reduce((sum, { mind }) => sum + mind.violations.length, 0),
    rules_right_rate: shareOf(rows, ({ rules }) => rules.isRight),
    rules_regret: rulesRegret / best,
    root_cause_right: shareOf(attributed, ({ world, play }) => play.culprit === world.rootCause),
    good_rollouts: goodRollouts.length,
    told_in_30_s: shareOf(troubled, (row) => row.isTold),
    false_alarms_per_service_week: alarms.alarms === 0 ? 0 : alarms.alarms / alarms.serviceWeeks,
  }
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)]))
}

function shareOf(rows: readonly Row[], test: (row: Row) => boolean): number {
  return rows.length === 0 ? 0 : rows.filter(test).length / rows.length
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000
}
