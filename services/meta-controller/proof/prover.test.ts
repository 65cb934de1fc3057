import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually } from '../../platform/eventually.testing.ts'
import type { Obligation, Verdict } from '../analysis/proof/obligation.ts'
import { obligationsOf } from '../analysis/proof/obligations.ts'
import { createProver, type Prover, type ProverSettings } from './prover.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'nexus-prover-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const { signal } = new AbortController()

/** A deadline that is proven from 5 ms on. */
function deadline(deadlineMs: number): Obligation {
  const services = [{ name: 'shop', workMs: 5 }]
  const [obligation] = obligationsOf({ services, edges: [], entries: [{ service: 'shop', deadlineMs }] })
  return obligation as Obligation
}

/** Cubes of whole numbers: Fermat's theorem for 3, which Z3 searches through for seconds. */
const hard: Obligation = {
  ...deadline(5),
  name: 'hard',
  smt: `${['a', 'b', 'c'].map((name) => `(declare-const ${name} Int)(assert (> ${name} 1))`).join('')}
(assert (= (+ (* a a a) (* b b b)) (* c c c)))
(check-sat)`,
  questions: [],
}

function proverFor(t: TestContext, settings: ProverSettings): Prover {
  const prover = createProver(settings)
  t.after(() => prover.close())
  return prover
}

/** A prover whose solver is the given JavaScript; it is run with `say(report)` and `asked(callback)` at hand. */
function proverWith(t: TestContext, source: string, settings: ProverSettings = {}): Prover {
  const preamble = `
const say = (report) => process.stdout.write(JSON.stringify(report) + '\\n')
const answer = ({ id }, output = 'unsat', values = '') => say({ kind: 'answer', id, output, values, ms: 1 })
const asked = (callback) => require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => callback(JSON.parse(line)))
`
  return proverFor(t, { ...settings, program: { argv: [process.execPath, '-e', preamble + source] } })
}

function told(verdicts: readonly Verdict[]): string[] {
  return verdicts.map(({ status, reason }) => (reason === undefined ? status : `${status}: ${reason}`))
}

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a prover starts nothing until it is asked, and proves, refutes and refuses', async (t) => {
  const prover = proverFor(t, {})
  assert.equal(prover.solverPid, undefined)
  const refused = { ...deadline(5), refusal: 'work is NaN' }
  const verdicts = await prover.prove([deadline(5), deadline(4.999), refused, deadline(6)], signal)
  assert.deepEqual(told(verdicts), ['proven', 'refuted', 'not proven: work is NaN', 'proven'])
  assert.match(verdicts[0]?.smt ?? '', /\(check-sat\)$/)
  assert.deepEqual(await prover.prove([], signal), [])
})

test('only refused obligations start nothing', async (t) => {
  const prover = proverFor(t, {})
  assert.deepEqual(told(await prover.prove([{ ...deadline(5), refusal: 'x' }], signal)), ['not proven: x'])
  assert.equal(prover.solverPid, undefined)
})

test('a question too hard ends by the bound of work, and those after it are answered', async (t) => {
  const prover = proverFor(t, { timeoutMs: 120_000 })
  const verdicts = await prover.prove([hard, deadline(5)], signal)
  assert.deepEqual(told(verdicts), [
    'not proven: the solver could not tell within its bound of work',
    'proven',
  ])
})

test('a script that is wrong is not proven, and those after it are answered', async (t) => {
  const prover = proverFor(t, {})
  const wrong = ['(assert', ')', '(foo)(check-sat)', '(reset)', '', '(exit)'].map((smt) => ({
    ...deadline(5),
    smt,
  }))
  const verdicts = await prover.prove([...wrong, deadline(5)], signal)
  assert.deepEqual(
    verdicts.map(({ status }) => status),
    [...wrong.map(() => 'not proven'), 'proven'],
  )
})

test('Z3 hung: it is ended, and a new one goes on', async (t) => {
  const prover = proverFor(t, { timeoutMs: 1000 })
  await prover.prove([deadline(5)], signal)
  const before = prover.solverPid
  const slow = { ...hard, smt: hard.smt.replace('(check-sat)', '(set-option :rlimit 0)\n(check-sat)') }
  const verdicts = await prover.prove([slow, deadline(5)], signal)
  assert.match(told(verdicts)[0] ?? '', /^not proven: the solver did not answer within 1000 ms$/)
  assert.equal(isAlive(before), false)
})

test('Z3 out of memory: not proven, and what a plan needs still is', async (t) => {
  const greedy = proverFor(t, { maxMemoryBytes: 40 * 2 ** 20 })
  if (process.platform !== 'linux') return t.skip('only Linux tells how much memory a process takes')
  const slow = { ...hard, smt: hard.smt.replace('(check-sat)', '(set-option :rlimit 0)\n(check-sat)') }
  assert.deepEqual(told(await greedy.prove([slow], signal)), [
    'not proven: the solver took more than 40 MiB of memory',
  ])
  assert.equal(greedy.solverPid, undefined)
})

test('Z3 absent: not proven, whether the package or the program is not there', async (t) => {
  cpSync(fileURLToPath(new URL('./solver.ts', import.meta.url)), path.join(folder, 'solver.ts'))
  const bare = proverFor(t, { program: { argv: [process.execPath, path.join(folder, 'solver.ts')] } })
  const reasons = told(await bare.prove([deadline(5), deadline(5), deadline(5), deadline(5)], signal))
  assert.match(reasons[0] ?? '', /^not proven: the solver is absent: Cannot find package 'z3-solver'/)
  assert.equal(reasons.at(-1), 'not proven: the solver failed 3 times before it came to this')
  const missing = proverFor(t, { program: { argv: [path.join(folder, 'no-such-program')] } })
  assert.match(
    told(await missing.prove([deadline(5)], signal))[0] ?? '',
    /^not proven: the solver cannot be started: .*ENOENT/,
  )
})

const faults: readonly [string, string, RegExp, ProverSettings?][] = [
  ['never gets ready', 'setInterval(() => {}, 1000)', /did not start within 300 ms/, { startTimeoutMs: 300 }],
  [
    'is busy for ever before it is ready',
    'for (;;) {}',
    /did not start within 300 ms/,
    { startTimeoutMs: 300 },
  ],
  ['dies at once', 'process.exit(3)', /ended \(exit code 3\)/],
  ['throws', 'throw new Error("x")', /ended \(exit code 1\)/],
  ['never answers', 'say({ kind: "ready" }); asked(() => {})', /did not answer within 300 ms/],
  [
    'is busy for ever',
    'say({ kind: "ready" }); asked(() => { for (;;) {} })',
    /did not answer within 300 ms/,
  ],
  ['dies when asked', 'say({ kind: "ready" }); asked(() => process.exit(0))', /ended \(exit code 0\)/],
  [
    'is killed',
    'say({ kind: "ready" }); asked(() => process.kill(process.pid, "SIGKILL"))',
    /ended \(SIGKILL\)/,
  ],
  [
    'closes its output',
    'say({ kind: "ready" }); asked(() => process.stdout.destroy())',
    /did not answer|ended/,
  ],
  ['prints rubbish', 'say({ kind: "ready" }); asked(() => console.log("unsat"))', /printed rubbish: unsat/],
  ['prints bytes', 'process.stdout.write(Buffer.from([0, 255, 254, 10, 128, 10]))', /printed rubbish/],
  ['prints null', 'console.log("null")', /printed rubbish: null/],
  [
    'answers another question',
    'say({ kind: "ready" }); asked(() => answer({ id: 99 }))',
    /answered what was not asked/,
  ],
  [
    'answers unasked',
    'say({ kind: "answer", id: 0, output: "unsat", values: "", ms: 1 }); setInterval(() => {}, 1000)',
    /did not start within 300 ms/,
    { startTimeoutMs: 300 },
  ],
  [
    'says that it is ready all the time',
    'setInterval(() => say({ kind: "ready" }), 5)',
    /did not answer within 300 ms/,
  ],
  [
    'answers without the fields',
    'say({ kind: "ready" }); asked(({ id }) => say({ kind: "answer", id, output: 1 }))',
    /printed rubbish/,
  ],
  [
    'answers with a word of its own',
    'say({ kind: "ready" }); asked((question) => answer(question, "maybe"))',
    /the solver answered maybe/,
  ],
  [
    'gives no values',
    'say({ kind: "ready" }); asked((question) => answer(question, "sat"))',
    /no readable counterexample/,
  ],
  [
    'prints without an end',
    'say({ kind: "ready" }); asked(() => { const part = "x".repeat(1e6); setInterval(() => process.stdout.write(part), 1) })',
    /a line of more than 4000000 characters|did not answer/,
    { timeoutMs: 5000 },
  ],
]

for (const [what, source, reason, settings] of faults) {
  test(`a solver that ${what} is no proof`, async (t) => {
    const prover = proverWith(t, source, { timeoutMs: 300, ...settings })
    const [verdict] = await prover.prove([deadline(5)], signal)
    assert.equal(verdict?.status, 'not proven')
    assert.match(verdict?.reason ?? '', reason)
  })
}

test('a solver that takes more and more memory is ended', async (t) => {
  if (process.platform !== 'linux') return t.skip('only Linux tells how much memory a process takes')
  const source = `say({ kind: 'ready' }); const kept = []; asked(() => { for (;;) kept.push(Buffer.alloc(1 << 20, 1)) })`
  const prover = proverWith(t, source, { maxMemoryBytes: 200 * 2 ** 20, timeoutMs: 20_000 })
  const [verdict] = await prover.prove([deadline(5)], signal)
  assert.equal(verdict?.reason, 'the solver took more than 200 MiB of memory')
})

test('what a solver answered before it died counts, and another one goes on from there', async (t) => {
  const marker = path.join(folder, 'died')
  const source = `
const { existsSync, writeFileSync } = require('node:fs')
say({ kind: 'ready' })
let count = 0
asked((question) => {
  if (++count === 2 && !existsSync(${JSON.stringify(marker)})) { writeFileSync(${JSON.stringify(marker)}, ''); process.exit(7) }
  answer(question)
})`
  const prover = proverWith(t, source)
  const verdicts = await prover.prove([deadline(5), deadline(5), deadline(5), deadline(5)], signal)
  assert.deepEqual(told(verdicts), [
    'proven',
    'not proven: the solver ended (exit code 7)',
    'proven',
    'proven',
  ])
  assert.ok(existsSync(marker))
})

test('a solver that fails again and again is not started for ever', async (t) => {
  const prover = proverWith(t, 'process.exit(1)')
  const verdicts = await prover.prove(
    Array.from({ length: 50 }, () => deadline(5)),
    signal,
  )
  assert.deepEqual(
    [...new Set(told(verdicts))],
    [
      'not proven: the solver ended (exit code 1)',
      'not proven: the solver failed 3 times before it came to this',
    ],
  )
  // The next call begins anew.
  assert.match(told(await prover.prove([deadline(5)], signal))[0] ?? '', /ended \(exit code 1\)/)
})

test('the time for all proofs is bounded', async (t) => {
  const source = `say({ kind: 'ready' }); asked((question) => setTimeout(() => answer(question), 30))`
  const prover = proverWith(t, source, { maxTotalMs: 100 })
  const verdicts = await prover.prove(
    Array.from({ length: 300 }, () => deadline(5)),
    signal,
  )
  assert.equal(verdicts.length, 300)
  assert.equal(verdicts.at(-1)?.reason, 'the time for all proofs was used up')
})

test('a cancelled proof is not proven, and the solver is ended', async (t) => {
  const prover = proverWith(t, `say({ kind: 'ready' }); asked(() => {})`, { timeoutMs: 60_000 })
  const cancel = new AbortController()
  const proof = prover.prove([deadline(5), deadline(5)], cancel.signal)
  await eventually('a solver', () => prover.solverPid)
  const pid = prover.solverPid
  cancel.abort()
  assert.deepEqual([...new Set(told(await proof))], ['not proven: the proof was cancelled'])
  await eventually('the end of the solver', () => !isAlive(pid))
  assert.deepEqual(told(await prover.prove([deadline(5)], AbortSignal.abort())), [
    'not proven: the proof was cancelled',
  ])
})

test('an obligation that cannot tell its counterexample is a value too', async (t) => {
  const prover = proverFor(t, {})
  const explain = () => {
    throw new Error('no words')
  }
  const verdicts = await prover.prove([{ ...deadline(4), explain }], signal)
  assert.deepEqual(told(verdicts), ['not proven: the proof failed: Error: no words'])
  assert.deepEqual(told(await prover.prove([deadline(5)], signal)), ['proven'])
})

test('closing ends what is under way, and nothing is started after it', async (t) => {
  const prover = proverWith(t, `say({ kind: 'ready' }); asked(() => {})`, { timeoutMs: 60_000 })
  const proof = prover.prove([deadline(5)], signal)
  await eventually('a solver', () => prover.solverPid)
  await prover.close()
  assert.deepEqual(told(await proof), ['not proven: the prover was closed'])
  assert.deepEqual(told(await prover.prove([deadline(5)], signal)), ['not proven: the prover was closed'])
  assert.equal(prover.solverPid, undefined)
  await prover.close()
})

test('proofs asked at the same time are served one after another', async (t) => {
  const prover = proverFor(t, {})
  const proofs = await Promise.all([5, 4, 6].map((ms) => prover.prove([deadline(ms), deadline(4)], signal)))
  assert.deepEqual(proofs.map(told), [
    ['proven', 'refuted'],
    ['refuted', 'refuted'],
    ['proven', 'refuted'],
  ])
})

test('an idle solver is ended, a worn one replaced', async (t) => {
  const source = `say({ kind: 'ready' }); asked((question) => answer(question))`
  const prover = proverWith(t, source, { idleMs: 50, maxQuestions: 2 })
  await prover.prove([deadline(5)], signal)
  const first = prover.solverPid
  await prover.prove([deadline(5)], signal)
  assert.equal(prover.solverPid, first)
  await prover.prove([deadline(5)], signal)
  const second = prover.solverPid
  assert.notEqual(second, first)
  await eventually('the end of both solvers', () => !isAlive(first) && !isAlive(second))
  assert.equal(prover.solverPid, undefined)
})

test('the solver dies with a prover that is killed', async () => {
  const file = path.join(folder, 'parent.ts')
  const module = JSON.stringify(new URL('./prover.ts', import.meta.url).href)
  writeFileSync(
    file,
    `import { createProver } from ${module}
const prover = createProver()
await prover.prove([{ smt: '(check-sat)', questions: [], property: 'quota', name: '', statement: '', explain: () => '' }], new AbortController().signal)
process.stdout.write(String(prover.solverPid) + '\\n')
setInterval(() => {}, 1000)
`,
  )
  const parent = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  assert.ok(isAlive(pid))
  parent.kill('SIGKILL')
  await eventually('the end of the solver', () => !isAlive(pid))
})

test('the prover of a program that ends does not hold it back', async () => {
  const file = path.join(folder, 'short.ts')
  const module = JSON.stringify(new URL('./prover.ts', import.meta.url).href)
  writeFileSync(
    file,
    `import { createProver } from ${module}
await createProver().prove([{ smt: '(check-sat)', questions: [], property: 'quota', name: '', statement: '', explain: () => '' }], new AbortController().signal)
`,
  )
  const program = spawn(process.execPath, [file], { stdio: 'ignore' })
  assert.deepEqual(await once(program, 'exit'), [0, null])
})
