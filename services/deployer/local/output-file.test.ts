import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { OutputFile } from './output-file.ts'

test('output is kept within two files of a mebibyte, and its end is at hand', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'nexus-output-'))
  const file = new OutputFile(path.join(folder, 'shop.log'))
  for (let line = 0; line < 50_000; line++) file.write(Buffer.from(`line ${line} ${'x'.repeat(80)}\n`))
  const names = await readdir(folder)
  assert.deepEqual(names.toSorted(), ['shop.log', 'shop.log.1'])
  for (const name of names) assert.ok((await stat(path.join(folder, name))).size <= 1024 * 1024)
  assert.equal(file.tail().split('\n').length, 12)
  assert.match(file.tail(), /line 49999 x+$/)
  file.close()
  await rm(folder, { recursive: true })
})
