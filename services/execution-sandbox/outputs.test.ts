import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import { create } from 'tar'
import { collectOutputs, matches, maxOutputFileBytes, maxOutputFiles } from './outputs.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'nexus-outputs-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const anySize = 2 ** 40

function archiveOf(name: string, fill: (at: string) => void): Readable {
  const at = path.join(folder, name)
  mkdirSync(at)
  fill(at)
  return Readable.from(create({ cwd: at }, ['.']) as unknown as AsyncIterable<Buffer>)
}

const paths = (files: readonly { path: string }[]) => files.map((file) => file.path)

test('links of both kinds stay where they are', async () => {
  const archive = archiveOf('links', (at) => {
    writeFileSync(path.join(at, 'a-file'), 'text')
    symlinkSync('/etc/passwd', path.join(at, 'b-link'))
    linkSync(path.join(at, 'a-file'), path.join(at, 'c-hard'))
  })
  const { files, complete } = await collectOutputs(archive, ['a-file', 'b-link', 'c-hard'], anySize)
  assert.deepEqual([paths(files), complete], [['a-file'], true])
})

test('more or bigger files than may be brought back are told, not cut', async () => {
  const many = archiveOf('many', (at) => {
    mkdirSync(path.join(at, 'f'))
    for (let index = 0; index <= maxOutputFiles; index += 1)
      writeFileSync(path.join(at, 'f', `${index}`), 'x')
  })
  const counted = await collectOutputs(many, ['f/*'], anySize)
  assert.deepEqual([counted.files.length, counted.complete], [maxOutputFiles, false])
  const big = archiveOf('big', (at) =>
    writeFileSync(path.join(at, 'big'), Buffer.alloc(maxOutputFileBytes + 1)),
  )
  assert.deepEqual(await collectOutputs(big, ['big'], anySize), { files: [], complete: false })
})

test('an endless stream is given up on', async () => {
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(65_536)
    })(),
  )
  const { complete } = await collectOutputs(endless, ['a'], 1024 ** 2)
  assert.equal(complete, false)
})

test('a stream of noise holds no files', async () => {
  const { files } = await collectOutputs(Readable.from([randomBytes(100_000)]), ['a/*'], anySize)
  assert.deepEqual(files, [])
})

test('a folder with a star stands for what is right in it', () => {
  assert.ok(matches('a/b', ['a/*']))
  assert.ok(matches('a', ['a']))
  assert.ok(!matches('a/b/c', ['a/*']))
  assert.ok(!matches('ab/c', ['a/*']))
  assert.ok(!matches('a/../b', ['a/*', 'a/../b']))
})
