import { randomInt } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../platform/clock.ts'
import { admit } from './admit.ts'
import { findCgroupHome, removeLeftCgroups } from './cgroup.ts'
import { type Choice, chooseTier } from './choose.ts'
import {
  type Execution,
  type RunOptions,
  refusedVerdict,
  type Tier,
  type TierCapability,
  tiers,
  type Verdict,
} from './execution.ts'
import type { Surroundings } from './launch.ts'
import { absent } from './probe.ts'
import { isAlive } from './processes.ts'
import { openProcessRunner } from './runner.process.ts'
import { closedRunner, type Runner } from './runner.ts'
import { filterArchitecture, seccompProgram } from './seccomp.ts'
import { Slots } from './slots.ts'

export interface SandboxOptions {
  /** Where runs have their folders while they last. */
  readonly folder: string
  /** Folders below which mounts may lie. */
  readonly mountRoots: readonly string[]
  /** The tiers to try; others count as absent. */
  readonly tiers: readonly Tier[]
  readonly allowHost: boolean
  readonly useControlGroups: boolean
  readonly maxConcurrent: number
  readonly maxQueued: number
  /** Opens the Docker tier; apart, because it is the one that needs a client. */
  readonly openDocker: (around: Surroundings) => Promise<Runner>
  readonly clock: Clock
  readonly onProbed?: (capability: TierCapability) => void
}

/** The one room for untrusted code. */
export interface Sandbox {
  /** Runs a program to its end. Errors: InvalidExecutionError, QueueFullError. Everything else is a verdict. */
  run(execution: Execution, options?: RunOptions): Promise<Verdict>
  /** The tiers, strongest first; waits for the probes. */
  capabilities(): Promise<readonly TierCapability[]>
  /** Ends all runs, waits for their guardians and removes the folder. */
  close(): Promise<void>
}

/** Opens the room at once and probes its tiers in the background; the first run waits for them. */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  const folder = path.join(options.folder, `sandbox-${process.pid}-${randomInt(2 ** 32).toString(16)}`)
  await mkdir(options.folder, { recursive: true, mode: 0o700 })
  await removeLeftFolders(options.folder)
  const { home } = findCgroupHome()
  if (home && options.useControlGroups) removeLeftCgroups(home, (pid) => !isAlive(pid))
  await mkdir(path.join(folder, 'etc'), { recursive: true, mode: 0o700 })
  const around = await surround(folder, options)
  const runners = openRunners(options, around)
  const slots = new Slots({ count: options.maxConcurrent, maxWaiting: options.maxQueued })
  const closing = new AbortController()
  const running = new Set<Promise<unknown>>()

  async function runChosen(execution: Execution, runOptions: RunOptions): Promise<Verdict> {
    const admitted = await admit(execution, options.mountRoots)
    const choice: Choice = chooseTier(admitted, await runners, options.allowHost)
    if (!choice.runner) return refusedVerdict(execution.leastTier, choice.refusal)
    const signal = AbortSignal.any([closing.signal, ...(runOptions.signal ? [runOptions.signal] : [])])
    const slot = await slots.take(signal).catch((error) => {
      if (signal.aborted) return undefined
      throw error
    })
    if (slot === undefined)
      return { ...refusedVerdict(choice.runner.capability.tier, ''), outcome: 'canceled' }
    try {
      return await choice.runner.run(admitted, slot, { ...runOptions, signal })
    } finally {
      slots.give(slot)
    }
  }

  return {
    async run(execution, runOptions = {}) {
      const run = runChosen(execution, runOptions)
      running.add(run)
      return run.finally(() => running.delete(run))
    },
    async capabilities() {
      return (await runners).map((runner) => runner.capability)
    },
    async close() {
      closing.abort(new Error('the sandbox is closing'))
      await Promise.allSettled(running)
      for (const runner of await runners) await runner.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function openRunners(options: SandboxOptions, around: Surroundings): Promise<readonly Runner[]> {
  const cgroupReason = options.useControlGroups
    ? findCgroupHome().reason
    : 'switched off by NEXUS_SANDBOX_CGROUPS'
  const opened = await Promise.all(
    tiers.toReversed().map((tier) => {
      if (!options.tiers.includes(tier)) return closedRunner(absent(tier, 'left out by NEXUS_SANDBOX_TIERS'))
      if (tier === 'docker') return options.openDocker(around)
      if (tier === 'host' && !options.allowHost) {
        return closedRunner(absent(tier, 'not allowed: set NEXUS_SANDBOX_ALLOW_HOST=true to allow it'))
      }
      return openProcessRunner(tier, around, cgroupReason)
    }),
  )
  for (const runner of opened) options.onProbed?.(runner.capability)
  return opened.toSorted(byStrength)
}

/** Strongest first; a runner that counts as a weaker tier than it is comes after that tier's own, which starts sooner. */
function byStrength(a: Runner, b: Runner): number {
  const strength = (runner: Runner) =>
    tiers.indexOf(runner.countsAs) - (runner.countsAs === runner.capability.tier ? 0 : 0.5)
  return strength(b) - strength(a)
}

async function surround(folder: string, options: SandboxOptions): Promise<Surroundings> {
  const etc = path.join(folder, 'etc')
  const firstUid = leastRunUid + randomInt(runUidBlocks) * maxSlots
  await writeEtc(etc, firstUid, options.maxConcurrent)
  const architecture = filterArchitecture()
  const filterFile = path.join(folder, 'filter.bpf')
  if (architecture) await writeFile(filterFile, seccompProgram(architecture))
  return {
    folder,
    etc,
    filterFile: architecture ? filterFile : '',
    cgroupHome: options.useControlGroups ? findCgroupHome().home : undefined,
    firstUid,
    clock: options.clock,
  }
}

/** User ids for runs lie above those that systemd gives to containers (1,879,048,191) and below 2^31. */
const leastRunUid = 1_879_048_192
/** Each process takes a block by chance, so that two on one machine hardly share user ids. */
const runUidBlocks = 65_536
/** Executions at the same time, at most; a block has this many user ids. */
export const maxSlots = 64

async function writeEtc(etc: string, firstUid: number, slots: number): Promise<void> {
  const users = Array.from({ length: slots }, (_, slot) => ({ name: `run${slot}`, id: firstUid + slot }))
  const own = process.getuid?.() ?? 0
  if (own !== 0) users.push({ name: 'nexus', id: own })
  const all = [{ name: 'root', id: 0 }, ...users]
  const files: Record<string, string> = {
    passwd: all.map(({ name, id }) => `${name}:x:${id}:${id}::/scratch:/bin/sh\n`).join(''),
    group: all.map(({ name, id }) => `${name}:x:${id}:\n`).join(''),
    hosts: '127.0.0.1 localhost\n::1 localhost\n',
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
  }
  for (const [name, text] of Object.entries(files))
    await writeFile(path.join(etc, name), text, { mode: 0o644 })
}

/** Removes the folders of processes that were killed; their guardians have ended the programs already. */
async function removeLeftFolders(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(/^sandbox-(\d+)-/.exec(name)?.[1])
    if (!pid || isAlive(pid)) continue
    await rm(path.join(parent, name), { recursive: true, force: true })
  }
}
