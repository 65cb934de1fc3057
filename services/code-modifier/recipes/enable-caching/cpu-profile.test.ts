import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { openProgram } from '../program/program.ts'
import { CpuProfileError, readProfiles } from './cpu-profile.ts'
import { hotFunctions } from './shares.ts'

function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-profile-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

const busyProgram = `
function inner(n: number): number {
  return [n].map((each) => {
    let sum = 0
    for (let i = 0; i < each; i++) sum += Math.sqrt(i)
    return sum
  })[0] ?? 0
}

export function outer(n: number): number {
  return n === 0 ? inner(3_000_000) : outer(n - 1) + inner(3_000_000)
}

process.stdout.write(String(outer(20)))
`

test("a real profile gives each named function its own and its callees' time, once even where it calls itself", (t) => {
  const folder = tempFolder(t)
  writeFileSync(path.join(folder, 'package.json'), '{"type": "module"}')
  writeFileSync(path.join(folder, 'busy.ts'), busyProgram)
  execFileSync(process.execPath, ['--cpu-prof', `--cpu-prof-dir=${folder}`, 'busy.ts'], { cwd: folder })
  const files = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'))
  const profile = readProfiles(files.map((file) => path.join(folder, file)))
  const hot = hotFunctions(openProgram({ folder, sources: ['*.ts'] }), profile)
  const shares = new Map(hot.map(({ name, share }) => [name, share]))
  const [outer, inner] = [shares.get('outer') ?? 0, shares.get('inner') ?? 0]
  assert.ok(outer >= inner && inner > 0.2 && outer <= 1, `outer ${outer}, inner ${inner}`)
})

test('time spent waiting does not count', (t) => {
  const file = path.join(tempFolder(t), 'a.cpuprofile')
  const node = (id: number, functionName: string, children: number[] = []) => ({
    id,
    children,
    callFrame: { functionName, url: '', lineNumber: -1, columnNumber: -1 },
  })
  const nodes = [node(1, '(root)', [2, 3]), node(2, '(idle)'), node(3, 'work')]
  writeFileSync(file, JSON.stringify({ nodes, samples: [2, 3, 3, 2], timeDeltas: [500, 20, 30, 500] }))
  const { busyUs, samples, stacks } = readProfiles([file, file])
  assert.deepEqual({ busyUs, samples, stacks: stacks.length }, { busyUs: 100, samples: 4, stacks: 2 })
})

test('a file that is no profile is named', (t) => {
  const file = path.join(tempFolder(t), 'a.cpuprofile')
  for (const text of ['', '{"nodes": 3}', '[]']) {
    writeFileSync(file, text)
    assert.throws(
      () => readProfiles([file]),
      (error) => error instanceof CpuProfileError && error.message.includes(file),
    )
  }
})
