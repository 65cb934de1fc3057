import { createInterface } from 'node:readline'
import type { SolverQuestion, SolverReport } from './protocol.ts'

// Z3 in a process of its own: its WebAssembly memory never shrinks, and its threads keep a process alive. One JSON a line in and out.
// It ends when its input ends, so nothing is left when whoever started it dies. The prover bounds its time and memory from outside.

/** Z3's own bound, in MiB: it gives up where it can, before the prover ends the process. */
const memoryMiB = '384'
/**
 * Z3's own bound of work, which takes some seconds: the same question gets the same answer on a slow machine. A time-out would need
 * a thread, and starting one for each question takes longer than most proofs.
 */
const maxWork = 2_000_000

/** Z3 with one context; `renew` begins a new one, since a context in which something went wrong may stay so. */
interface Solver {
  evaluate(script: string): string
  renew(): void
}

/** Errors: of a package that is not there, or whose WebAssembly does not start. */
async function load(): Promise<Solver> {
  const { init } = await import('z3-solver')
  // Whatever Z3 prints must not get between the answers.
  const { Z3, em } = await init({ print: () => undefined, printErr: () => undefined })
  Z3.global_param_set('memory_max_size', memoryMiB)
  const begin = () => {
    const config = Z3.mk_config()
    const context = Z3.mk_context(config)
    Z3.del_config(config)
    return context
  }
  let context = begin()
  const evaluate = (script: string) =>
    String(em.ccall('Z3_eval_smtlib2_string', 'string', ['number', 'string'], [context, script]))
  const renew = () => {
    Z3.del_context(context)
    context = begin()
    evaluate(`(set-option :rlimit ${maxWork})`)
  }
  renew()
  return { evaluate, renew }
}

function report(message: SolverReport): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

/** The script is run word for word, in a scope that the next question takes away. */
function answer(solver: Solver, { id, script, terms }: SolverQuestion): void {
  const started = performance.now()
  const output = solver.evaluate(`(push)\n${script}`)
  const wanted = output.trim() === 'sat' && terms.length > 0
  const values = wanted ? solver.evaluate(`(get-value (${terms.join(' ')}))`) : ''
  const ms = performance.now() - started
  report({ kind: 'answer', id, output, values, ms })
  if (['sat', 'unsat'].includes(output.trim())) solver.evaluate('(pop)')
  else solver.renew()
}

async function main(): Promise<void> {
  let solver: Solver
  try {
    solver = await load()
  } catch (error) {
    report({ kind: 'absent', reason: error instanceof Error ? error.message : String(error) })
    return
  }
  report({ kind: 'ready' })
  for await (const line of createInterface({ input: process.stdin })) {
    answer(solver, JSON.parse(line) as SolverQuestion)
  }
}

await main()
process.exit()
