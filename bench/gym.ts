import { createProver } from '../services/meta-controller/proof/prover.ts'
import { type AlarmCount, budgetPerWeek, countAlarms, isTold } from './gym/alarms.ts'
import { playMind } from './gym/mind.ts'
import { consult, type Verdict } from './gym/oracle.ts'
import { proverOf } from './gym/proof.ts'
import { burnLine, figuresOf, printTable, type Row } from './gym/report.ts'
import { playRules } from './gym/rules-player.ts'
import { scoreOf } from './gym/score.ts'
import { drawWorld } from './gym/world.ts'
import type { Bench } from './main.ts'

/** Worlds are the seeds from this one on; development used 1001 to 1300. */
const firstSeed = Number(process.env.NEXUS_BENCH_SEED ?? 1)
const worlds = Number(process.env.NEXUS_BENCH_WORLDS ?? 300)

/**
 * Plays each world three times with the same clients and the same luck: the oracle with every intervention at hand, the engines, and
 * a rule-based controller. Regret is what the oracle's choice spares in an hour, less what the controller's does: with the time until
 * it is in place, and with what clients bore meanwhile. `regret` and `rules_regret` are shares of what the oracle spares.
 */
export const run: Bench = async (print) => {
  const startedS = cpuSeconds()
  const prover = createProver()
  const prove = proverOf(prover)
  const rows: Row[] = []
  let alarms: AlarmCount = { alarms: 0, serviceWeeks: 0 }
  try {
    for (let seed = firstSeed; seed < firstSeed + worlds; seed++) {
      const world = drawWorld(seed)
      const verdict = consult(world)
      const play = await playMind(world, prove)
      const [mind, rules] = [play, playRules(world)].map((one) => scoreOf(world, verdict, one))
      // Without its simulation, which would be kept for all worlds.
      const { simulation, ...outcome } = play
      const told = isTold(world, simulation)
      rows.push({
        world,
        verdict: summaryOf(verdict),
        play: outcome,
        isTold: told,
        mind: mind!,
        rules: rules!,
      })
      if (world.kind !== 'healthy') continue
      const counted = countAlarms(world)
      alarms = {
        alarms: alarms.alarms + counted.alarms,
        serviceWeeks: alarms.serviceWeeks + counted.serviceWeeks,
      }
    }
  } finally {
    await prover.close()
  }
  printTable(print, rows)
  print(burnLine(rows))
  print(
    `detection: ${alarms.alarms} false alarms in ${alarms.serviceWeeks.toFixed(2)} service-weeks of healthy worlds, the budget is ${budgetPerWeek} a service-week`,
  )
  print(`${(cpuSeconds() - startedS).toFixed(0)} s of processor time`)
  return figuresOf(rows, alarms)
}

function summaryOf({ best, nothing }: Verdict): Row['verdict'] {
  return { best, badShare: nothing.early / nothing.ratePerS }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
