import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { DataFolderError, lockDataFolder } from './data-folder.ts'

const root = mkdtempSync(path.join(tmpdir(), 'nexus-folder-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** Another process that locks the folder, says so, and lives until it is killed. */
async function holdElsewhere(folder: string) {
  const code = `
    import { lockDataFolder } from ${JSON.stringify(new URL('data-folder.ts', import.meta.url).href)}
    lockDataFolder(${JSON.stringify(folder)})
    process.stdout.write('locked')
    setInterval(() => {}, 1_000)`
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '-e', code]
  const holder = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: {} })
  await once(holder.stdout, 'data')
  return holder
}

function refused(folder: string, pattern: RegExp): void {
  assert.throws(
    () => lockDataFolder(folder),
    (error) => {
      assert.ok(error instanceof DataFolderError, String(error))
      assert.match(error.message, pattern)
      assert.ok(error.message.includes(folder))
      return true
    },
  )
}

test('a second instance on the folder gets one error that names the folder and the first', async () => {
  const folder = path.join(root, 'shared')
  const holder = await holdElsewhere(folder)
  refused(folder, new RegExp(`in use by another NEXUS \\(process ${holder.pid}\\)`))
  holder.kill('SIGKILL')
  await once(holder, 'exit')
})

test('the lock of a process that was killed with -9 is gone, ten times out of ten', async () => {
  const folder = path.join(root, 'killed')
  for (let round = 0; round < 10; round += 1) {
    const holder = await holdElsewhere(folder)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    lockDataFolder(folder).close()
  }
})

test('one process locks a folder once, and again after closing', () => {
  const folder = path.join(root, 'own', 'deep')
  const locked = lockDataFolder(folder)
  assert.equal(locked.path, folder)
  refused(folder, /in use/)
  locked.close()
  locked.close()
  lockDataFolder(folder).close()
})

test('a folder that cannot be made or written is refused with the remedy', (t) => {
  writeFileSync(path.join(root, 'file'), '')
  refused(path.join(root, 'file', 'below'), /cannot be written .*name another with NEXUS_DATA/)
  refused(path.join(root, 'file'), /cannot be written/)
  if (process.getuid?.() === 0)
    return t.diagnostic('run by root, who may write anywhere: the case of permissions is left out')
  const closed = path.join(root, 'closed')
  lockDataFolder(closed).close()
  chmodSync(closed, 0o500)
  refused(closed, /cannot be written/)
  chmodSync(closed, 0o700)
})
