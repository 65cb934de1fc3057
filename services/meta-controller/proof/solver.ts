import { createInterface } from 'node:readline'
import type { SolverQuestion, SolverReport } from './protocol.ts'

// Z3 in a process of its own: its WebAssembly memory never shrinks, and its threads keep a process alive. One JSON a line in and out.
// It ends when its input ends, so nothing is left when whoever started it dies. The prover bounds its time and memory from outside.

/** Z3's own bound, in MiB: it answers "out of memory" where it can, before the prover ends the process. */
const memoryMiB = '384'

type Z3 = Awaited<ReturnType<typeof load>>

async function load() {
  const { init } = await import('z3-solver')
  // Whatever Z3 prints must not get between the answers.
  const { Z3 } = await init({ print: () => undefined, printErr: () => undefined })
  Z3.global_param_set('memory_max_size', memoryMiB)
  return Z3
}

function report(message: SolverReport): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

function createContext(z3: Z3) {
  const config = z3.mk_config()
  const context = z3.mk_context(config)
  z3.del_config(config)
  return context
}

async function answerFrom(z3: Z3, context: ReturnType<typeof createContext>, question: SolverQuestion) {
  const started = performance.now()
  // The scope is taken away again; the script within it is word for word the evidence.
  const script = `(push)\n(set-option :timeout ${question.timeoutMs})\n${question.script}`
  const output = await z3.eval_smtlib2_string(context, script)
  const wanted = output.trim() === 'sat' && question.terms.length > 0
  const values = wanted
    ? await z3.eval_smtlib2_string(context, `(get-value (${question.terms.join(' ')}))`)
    : ''
  const isPlain = ['sat', 'unsat'].includes(output.trim())
  await z3.eval_smtlib2_string(context, isPlain ? '(pop)' : '(reset)')
  report({ kind: 'answer', id: question.id, output, values, ms: performance.now() - started })
}

async function main(): Promise<void> {
  let z3: Z3
  try {
    z3 = await load()
  } catch (error) {
    report({ kind: 'absent', reason: error instanceof Error ? error.message : String(error) })
    return
  }
  const context = createContext(z3)
  report({ kind: 'ready' })
  for await (const line of createInterface({ input: process.stdin })) {
    await answerFrom(z3, context, JSON.parse(line) as SolverQuestion)
  }
}

await main()
process.exit()
