import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSamples, runsByOperation } from './benchmark.ts'
import type { CommandOutcome } from './run-command.ts'
import { testsTold } from './tests-told.ts'

function ended(content: string | undefined, passed = true): CommandOutcome {
  const files = new Map(content === undefined ? [] : [['bench.json', Buffer.from(content)]])
  return { passed, detail: 'it ended with exit code 1', output: '', durationMs: 1, tier: 'unshare', files }
}

test('samples are read by operation', () => {
  assert.deepEqual(readSamples(ended('{"samples":{"A":[1,2]},"unit":"ms"}')), { A: [1, 2] })
})

for (const [content, reason] of [
  [undefined, /wrote no file where the variable NEXUS_BENCH_OUT says/],
  ['{', /not JSON/],
  ['{}', /wrong at samples/],
  ['{"samples":{"A":[]}}', /wrong at samples\.A/],
  ['{"samples":{"A":[-1]}}', /wrong at samples\.A\.0/],
  ['{"samples":{"A":["fast"]}}', /wrong at samples\.A\.0/],
] as const) {
  test(`a result of ${content ?? 'nothing'} is told in words`, () => {
    assert.match(String(readSamples(ended(content))), reason)
  })
}

test('a benchmark that failed tells how it ended', () => {
  assert.equal(readSamples(ended('{"samples":{"A":[1]}}', false)), 'it ended with exit code 1')
})

test('only operations that every run has are compared', () => {
  const grouped = runsByOperation([
    { A: [1], B: [2] },
    { A: [3], C: [4] },
  ])
  assert.deepEqual([...grouped], [['A', [[1], [3]]]])
})

test('the number of tests is read from node’s runner, and left out where nothing says it', () => {
  assert.equal(testsTold('✔ a\nℹ tests 3\nℹ pass 3\nℹ fail 0'), 3)
  assert.equal(testsTold('# pass 14\n# fail 0'), 14)
  assert.equal(testsTold('all good'), undefined)
})
