import path from 'node:path'
import { Readable } from 'node:stream'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'

const usage = `usage: npm test [-- [--require=<thing>[,<thing>]] [<file> …]]

Runs all tests, or the files given. A test that needs a server which this machine does not have is skipped and says what is
missing; with --require it fails instead, for example --require=redis,prometheus,grpcurl,bubblewrap,docker
`
const root = path.dirname(import.meta.dirname)
const allTests = [
  'services/**/*.test.ts',
  'tools/**/*.test.ts',
  'bench/**/*.test.ts',
  'examples/storefront/test/**/*.test.ts',
]
/** Two test files at once on whatever machine, so that what is timed in one is not starved by many others. */
const concurrency = 2
/** The most that one file may take, and one test in it. */
const timeoutMs = 30 * 60_000

/** Runs the tests and tells them as they end; the summary of node's test runner is the last that is printed. */
function main(words: readonly string[]): void {
  const options = words.filter((word) => word.startsWith('-'))
  const files = words.filter((word) => !word.startsWith('-'))
  if (!options.every((option) => option.startsWith('--require='))) {
    process.stderr.write(usage)
    process.exitCode = 2
    return
  }
  const required = options.flatMap((option) => option.slice('--require='.length).toLowerCase().split(','))
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopped.abort())
  const patterns = files.length > 0 ? files : allTests
  const events = run({
    cwd: root,
    globPatterns: patterns,
    concurrency,
    timeout: timeoutMs,
    signal: stopped.signal,
  })
  Readable.from(judged(events, required)).compose(spec).pipe(process.stdout)
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
    if (isSummary(event)) yield* [...reasons].map(([reason, count]) => remark(reason, count, required))
    yield event
  }
  if (tests === 0) process.exitCode = 1
}

/** The first line of the summary of the whole run: `tests 123`. */
function isSummary({ type, data }: TestEvent): boolean {
  return (
    type === 'test:diagnostic' &&
    data.nesting === 0 &&
    data.file === undefined &&
    /^tests \d+$/.test(data.message)
  )
}

function remark(reason: string, count: number, required: readonly string[]): TestEvent {
  const missing = required.find((thing) => reason.toLowerCase().includes(thing))
  if (missing) process.exitCode = 1
  const verdict = missing ? `FAILED, as ${missing} is required` : 'skipped'
  const message = `${verdict}: ${reason}${count > 1 ? ` (${count} times)` : ''}`
  return {
    type: 'test:diagnostic',
    data: { nesting: 0, message, level: missing ? 'error' : 'info' },
  } as TestEvent
}

main(process.argv.slice(2))
