import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../platform/clock.ts'
import { usualLimits, type Verdict } from './execution.ts'
import type { Sandbox } from './sandbox.ts'
import { type HostileProgram, hostilePrograms, nativePrograms, preamble } from './testing.hostile.ts'
import { Machine, processesWith } from './testing.machine.ts'
import { execution, openTestSandbox, type Variant, variants } from './testing.sandbox.ts'

// Every program of the table runs on every tier that this machine offers and that promises to contain it. Each must end with
// the right verdict, and the machine must then be as it was.

process.env.NEXUS_TEST_SECRET = randomBytes(16).toString('hex')
const machine = new Machine(nativePrograms)
const targets = await machine.listen()
// Everybody may read the workspace, and only that: the sandbox runs programs as another user.
chmodSync(machine.folder, 0o755)
// By its bits anybody may write to the workspace, so that nothing but its mount keeps it.
chmodSync(machine.workspace, 0o777)
chmodSync(path.join(machine.workspace, 'kept'), 0o666)
after(() => machine.close())

for (const variant of variants) {
  describe(`on the tier ${variant.name}`, { concurrency: false }, () => {
    let sandbox: Sandbox
    let absence = ''
    before(async () => {
      const { tier, useControlGroups } = variant
      sandbox = await openTestSandbox({
        folder: machine.sandboxes,
        mountRoots: [machine.folder],
        tiers: [tier],
        useControlGroups,
      })
      const found = (await sandbox.capabilities()).find((each) => each.tier === tier)
      absence = found?.available ? '' : `the tier ${tier} is absent here: ${found?.remark}`
    })
    after(() => sandbox.close())
    for (const hostile of hostilePrograms.filter((each) => each.contains.includes(variant.tier))) {
      test(`${hostile.name} is contained`, async (t) => {
        const why = absence || notPromised(hostile, variant)
        if (why) return t.skip(why)
        await assertContained(sandbox, hostile, variant)
      })
    }
  })
}

function notPromised(hostile: HostileProgram, variant: Variant): string {
  if (/CALLS|call\(/.test(hostile.program) && process.arch !== 'x64') {
    return 'the native test programs are for x86-64'
  }
  const countsProcesses = variant.useControlGroups || process.getuid?.() !== 0
  if (hostile.name.includes('machine code') && variant.tier === 'host' && !countsProcesses) {
    return 'the kernel does not count the processes of root, so the host tier promises no limit on them without control groups'
  }
  return ''
}

async function assertContained(sandbox: Sandbox, hostile: HostileProgram, variant: Variant): Promise<void> {
  const nonce = randomBytes(8).toString('hex')
  const { secretFile, secret } = machine
  const earlier = machine.look()
  let told = ''
  let receivedBytes = 0
  const limits = { ...usualLimits, wallTimeMs: 15_000, ...hostile.limits }
  const most = hostile.limits?.processes ? watchMost(nonce) : { end: () => 0 }
  const verdict = await sandbox.run(
    execution({
      command: ['node', '-e', preamble + hostile.program],
      environment: {
        FACTS: JSON.stringify({ ...targets, secretFile, secret, nonce }),
        CALLS: '/workspace/calls',
      },
      mounts: [{ hostPath: machine.workspace, path: '/workspace' }],
      workingDirectory: '/scratch',
      outputs: hostile.outputs ?? [],
      limits,
      leastTier: variant.tier === 'docker' ? 'bubblewrap' : variant.tier,
    }),
    {
      onOutput: (_, bytes) => {
        receivedBytes += bytes.length
        if (told.length < 2000) told += Buffer.from(bytes).toString()
      },
    },
  )
  const mostProcesses = most.end()
  assertVerdict(verdict, hostile, told)
  assert.equal(verdict.tier, variant.tier)
  assert.ok(receivedBytes <= limits.outputBytes, `${receivedBytes} bytes of output`)
  // Processes, of which each Node has eleven threads; the room itself needs a few.
  assert.ok(mostProcesses <= limits.processes + 8, `${mostProcesses} processes at once`)
  assert.deepEqual(processesWith(nonce), [], 'processes are left')
  assert.deepEqual(machine.look(), earlier, 'the machine has changed')
}

function assertVerdict(verdict: Verdict, hostile: HostileProgram, told: string): void {
  const seen = `${JSON.stringify({ ...verdict, files: verdict.files.length })}; it said: ${told}`
  assert.ok(hostile.outcomes.includes(verdict.outcome), `unexpected end ${seen}`)
  if (verdict.outcome === 'exited') assert.equal(verdict.exitCode, hostile.exitCode ?? 0, seen)
  const files = verdict.files.map((file) => `${file.path}=${Buffer.from(file.content)}`)
  const honest = hostile.outputs?.includes('real/*') ? ['real/honest=honest'] : []
  assert.deepEqual(files, honest, 'only regular files of the scratch folder come back')
}

/** Counts, while a program runs, how many processes of its own the machine has at most. */
function watchMost(nonce: string): { end(): number } {
  let most = 0
  const over = new AbortController()
  const watch = async () => {
    while (!over.signal.aborted) {
      most = Math.max(most, processesWith(nonce).length)
      await systemClock.sleep(100, over.signal).catch(() => undefined)
    }
  }
  void watch()
  return {
    end: () => {
      over.abort()
      return most
    },
  }
}
