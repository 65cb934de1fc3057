import { globSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'

const usage = `usage: npm test [-- [--require=<thing>[,<thing>]] [<file> …]]

Runs all tests, or the files given. A test that needs a server which this machine does not have is skipped and says what is
missing; with --require it fails instead, for example --require=redis,prometheus,neo4j,grpcurl,bubblewrap,docker
`
const root = path.dirname(import.meta.dirname)
const allTests = [
  'services/**/*.test.ts',
  'tools/**/*.test.ts',
  'bench/**/*.test.ts',
  'examples/storefront/test/**/*.test.ts',
]
/** Tests of the whole process: they hold it to times, so nothing runs beside them. */
const ofTheWhole = /^services\/[^/]+\.test\.ts$/
/** Of the others, how many files at once. It is the same everywhere, so that the tests mean the same everywhere. */
const concurrency = 2
/** The most that one file may take, and one test in it. */
const timeoutMs = 30 * 60_000
const summaryLine = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/

/** Runs the tests and tells them as they end; the summary of node's test runner is the last that is printed. */
function main(words: readonly string[]): void {
  const options = words.filter((word) => word.startsWith('-'))
  const patterns = words.filter((word) => !word.startsWith('-'))
  if (!options.every((option) => option.startsWith('--require='))) {
    process.stderr.write(usage)
    process.exitCode = 2
    return
  }
  const files = globSync(patterns.length > 0 ? patterns : allTests, { cwd: root }).sort()
  if (files.length === 0) process.stderr.write(`no test file is ${patterns.join(' or ')}\n`)
  const required = options.flatMap((option) => option.slice('--require='.length).toLowerCase().split(','))
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopped.abort())
  Readable.from(judged(eventsOf(files, stopped.signal), required))
    .compose(spec)
    .pipe(process.stdout)
}

/** The events of all files as of one run: first those that may run beside each other, then the others one by one. */
async function* eventsOf(files: readonly string[], signal: AbortSignal): AsyncGenerator<TestEvent> {
  const totals = new Map<string, number>()
  const parts = [
    { part: files.filter((file) => !ofTheWhole.test(file)), concurrency },
    { part: files.filter((file) => ofTheWhole.test(file)), concurrency: 1 },
  ]
  for (const { part, concurrency } of parts) {
    const paths = part.map((file) => path.resolve(root, file))
    if (paths.length === 0) continue
    for await (const event of run({ cwd: root, files: paths, concurrency, timeout: timeoutMs, signal })) {
      const [, name, count] = isOfTheRun(event) ? (summaryLine.exec(event.data.message) ?? []) : []
      if (name === undefined) yield event
      else totals.set(name, (totals.get(name) ?? 0) + Number(count))
    }
  }
  for (const [name, total] of totals) yield remark(`${name} ${total}`)
}

/** A line about the run as a whole, not about a file or a test. */
function isOfTheRun(event: TestEvent): event is Extract<TestEvent, { type: 'test:diagnostic' }> {
  return event.type === 'test:diagnostic' && event.data.nesting === 0 && event.data.file === undefined
}

/** Passes the events on; sets the exit code, and puts the reasons of what was skipped before the summary. */
async function* judged(
  events: AsyncIterable<TestEvent>,
  required: readonly string[],
): AsyncGenerator<TestEvent> {
  const reasons = new Map<string, number>()
  let tests = 0
  for await (const event of events) {
    if (event.type === 'test:pass' && event.data.skip) {
      const reason = event.data.skip === true ? 'no reason given' : event.data.skip
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
    if (event.type === 'test:pass') tests += 1
    if (event.type === 'test:fail' && !event.data.todo) process.exitCode = 1
    if (isOfTheRun(event) && event.data.message.startsWith('tests ')) {
      yield* [...reasons].map(([reason, count]) => skipped(reason, count, required))
    }
    yield event
  }
  if (tests === 0) process.exitCode = 1
}

function skipped(reason: string, count: number, required: readonly string[]): TestEvent {
  const missing = required.find((thing) => reason.toLowerCase().includes(thing))
  if (missing) process.exitCode = 1
  const verdict = missing ? `FAILED, as ${missing} is required` : 'skipped'
  return remark(`${verdict}: ${reason}${count > 1 ? ` (${count} times)` : ''}`, missing ? 'error' : 'info')
}

function remark(message: string, level: 'info' | 'error' = 'info'): TestEvent {
  return { type: 'test:diagnostic', data: { nesting: 0, message, level } } as TestEvent
}

main(process.argv.slice(2))
