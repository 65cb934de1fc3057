import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ScanError, scanChange } from './scan.ts'

const never = new AbortController().signal

test('a change is scanned in a thread of its own, which leaves the caller free', async () => {
  const ticks: number[] = []
  const ticking = setInterval(() => ticks.push(performance.now()), 20)
  const files = [
    { path: 'src/a.ts', before: 'export const a = 1\n', after: `export const a = eval('1')\n` },
    { path: 'src/b.ts', before: null, after: 'export const b = process.env.B\n' },
  ]
  const findings = await scanChange(files, { signal: never, timeoutMs: 30_000 })
  clearInterval(ticking)
  assert.deepEqual(
    findings.map(({ rule, severity, path, line }) => ({ rule, severity, path, line })),
    [
      { rule: 'code/eval', severity: 'blocking', path: 'src/a.ts', line: 1 },
      { rule: 'code/environment-read', severity: 'note', path: 'src/b.ts', line: 1 },
    ],
  )
  assert.ok(ticks.length > 5, `the caller got ${ticks.length} turns`)
})

test('a scan that takes too long is an error, never a pass', async () => {
  const scan = scanChange([{ path: 'a.ts', before: null, after: '' }], { signal: never, timeoutMs: 1 })
  await assert.rejects(scan, (error) => error instanceof ScanError && /within 1 ms/.test(error.message))
})

test('a scan ends with its signal', async () => {
  const aborting = new AbortController()
  const scan = scanChange([{ path: 'a.ts', before: null, after: '' }], {
    signal: aborting.signal,
    timeoutMs: 30_000,
  })
  aborting.abort(new Error('no longer wanted'))
  await assert.rejects(scan, /no longer wanted/)
  await assert.rejects(
    async () => scanChange([], { signal: aborting.signal, timeoutMs: 1 }),
    /no longer wanted/,
  )
})

test('a file that the scanners cannot take is an error, never a pass', async () => {
  const files = [{ path: 'a.ts', before: null, after: undefined as unknown as string }]
  await assert.rejects(scanChange(files, { signal: never, timeoutMs: 30_000 }), ScanError)
})
