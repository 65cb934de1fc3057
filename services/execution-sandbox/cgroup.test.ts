import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../platform/clock.ts'
import { findCgroupHome, makeCgroup, removeLeftCgroups } from './cgroup.ts'
import { usualLimits } from './execution.ts'

const { home, reason } = findCgroupHome()

test('where there is no place for control groups the reason is told', (t) => {
  if (home) return t.skip('there is a place on this machine')
  assert.match(reason, /control group/)
})

test('a group counts the memory of its processes and goes when its owner has gone', async (t) => {
  if (!home) return t.skip(`no control groups here: ${reason}`)
  // The process id 4194304 is above the greatest that Linux gives, so nobody has it.
  const name = 'nexus-run-4194304-test'
  const group = makeCgroup(home, name, usualLimits)
  const child = spawn(
    process.execPath,
    [
      '-e',
      `process.stdin.once('data', () => { globalThis.kept = Buffer.alloc(64 * 1024 ** 2, 1); console.log('held') })`,
    ],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  )
  for (const file of group.procsFiles) writeFileSync(file, String(child.pid))
  child.stdin!.write('now')
  await once(child.stdout!, 'data')
  const usage = group.usage()
  assert.ok(usage.memoryBytes > 64 * 1024 ** 2 && usage.maxMemoryBytes >= usage.memoryBytes)
  assert.equal(usage.outOfMemoryKills, 0)
  const ended = once(child, 'exit')
  removeLeftCgroups(home, (pid) => pid === 4_194_304)
  assert.deepEqual(await ended, [null, 'SIGKILL'])
  const folders = group.procsFiles.map((file) => path.dirname(file)).filter((folder) => existsSync(folder))
  for (const folder of folders) await removeWhenEmpty(folder)
})

async function removeWhenEmpty(folder: string): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    try {
      return rmdirSync(folder)
    } catch {
      await systemClock.sleep(20)
    }
  }
  assert.fail(`${folder} is still busy after two seconds`)
}
