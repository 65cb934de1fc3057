import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'

test('nothing is installed through a link: the packages that it leads to stay', (t) => {
  const root = mkdtempSync(path.join(tmpdir(), 'nexus-run-'))
  t.after(() => rmSync(root, { recursive: true }))
  const other = path.join(root, 'other')
  mkdirSync(other)
  writeFileSync(path.join(other, 'kept'), '')
  mkdirSync(path.join(root, 'tools'))
  const runner = path.join(root, 'tools', 'run.mjs')
  copyFileSync(path.join(import.meta.dirname, 'run.mjs'), runner)
  writeFileSync(path.join(root, 'package-lock.json'), '{}')
  symlinkSync(other, path.join(root, 'node_modules'))
  const { status, stderr } = spawnSync(process.execPath, [runner, 'some.ts'], { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /node_modules is a link .* remove the link and run the same command again/)
  assert.deepEqual(readdirSync(other), ['kept'])
})
