import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { countThreads, isAlive, readTree } from './processes.ts'

const MiB = 1024 ** 2

test('the memory of children and grandchildren counts, the pages of their program do not', async (t) => {
  if (!existsSync('/proc/self/stat')) return t.skip('this system has no /proc')
  const hold = `const kept = Buffer.alloc(64 * ${MiB}, 1); console.log('held'); setInterval(() => kept, 1e6)`
  const program = `const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(hold)}])
    child.stdout.pipe(process.stdout); process.stdin.on('end', () => child.kill('SIGKILL')).resume()`
  const before = readTree(process.pid)
  const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'ignore'] })
  await once(child.stdout!, 'data')
  const { memoryBytes, processes } = readTree(process.pid)
  assert.equal(processes - before.processes, 2)
  const grownMiB = (memoryBytes - before.memoryBytes) / MiB
  assert.ok(grownMiB > 64 && grownMiB < 200, `${grownMiB} MiB`)
  assert.ok(countThreads(process.getuid?.() ?? 0) > 10)
  child.stdin!.end()
  await once(child, 'exit')
})

test('a process is alive until it has ended, also when it belongs to another user', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  assert.ok(isAlive(child.pid ?? 0))
  child.stdin!.end()
  await once(child, 'exit')
  assert.ok(!isAlive(child.pid ?? 0))
  assert.ok(isAlive(1))
})
