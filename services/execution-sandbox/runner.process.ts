import path from 'node:path'
import { refusedVerdict, type TierCapability, type Verdict } from './execution.ts'
import { type ProcessRoute, prepareLaunch, type Surroundings } from './launch.ts'
import { canary, capabilityFrom } from './probe.ts'
import { runLaunch } from './run.ts'
import { closedRunner, type Runner } from './runner.ts'

const remedies: Record<ProcessRoute['tier'], string> = {
  bubblewrap:
    'Install bubblewrap (apt-get install bubblewrap); on Ubuntu 24.04 or newer also give it an AppArmor profile that allows user namespaces',
  unshare:
    'It needs util-linux (unshare, setpriv, prlimit, mount) and either root or user namespaces for everybody (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)',
  host: 'It needs /bin/sh',
}

/** Tries the ways to start a process tier, best first, by running the canary; the first that works is the runner. */
export async function openProcessRunner(
  tier: ProcessRoute['tier'],
  around: Surroundings,
  cgroupReason: string,
): Promise<Runner> {
  let last: TierCapability | undefined
  for (const route of routesOf(tier)) {
    const verdict = await probeRoute(route, around)
    const memoryOfAll = around.cgroupHome !== undefined
    last = capabilityFrom(verdict, {
      memoryOfAll,
      remarks: remarksOn(route, cgroupReason),
      remedy: remedies[tier],
    })
    if (last.available) return runnerOf(route, around, last)
  }
  return closedRunner(last as TierCapability)
}

function routesOf(tier: ProcessRoute['tier']): readonly ProcessRoute[] {
  if (tier === 'host') return [{ tier, scratch: 'folder' }]
  const isRoot = process.getuid?.() === 0
  if (tier === 'unshare' || isRoot) return [{ tier, scratch: 'private' }]
  // Some systems let only bubblewrap make user namespaces; then there is no private file system to be had.
  return [
    { tier, scratch: 'private' },
    { tier, scratch: 'folder' },
  ]
}

async function probeRoute(route: ProcessRoute, around: Surroundings): Promise<Verdict> {
  if (route.tier === 'bubblewrap' && around.filterFile === '') {
    return refusedVerdict(route.tier, `there is no system call filter for ${process.arch}`)
  }
  try {
    const mark = path.join(around.etc, 'passwd')
    return await runLaunch(await prepareLaunch(route, canary(route.tier, mark), 0, around), {})
  } catch (error) {
    return refusedVerdict(route.tier, (error as Error).message)
  }
}

function remarksOn(route: ProcessRoute, cgroupReason: string): readonly string[] {
  return [
    route.tier === 'host' ? 'limits only, no isolation' : '',
    route.tier === 'unshare' ? 'no system call filter' : '',
    route.scratch === 'folder' ? 'the scratch folder is on disk and its size is only watched' : '',
    cgroupReason === '' ? '' : `memory of all processes is only watched: ${cgroupReason}`,
  ]
}

function runnerOf(route: ProcessRoute, around: Surroundings, capability: TierCapability): Runner {
  return {
    capability,
    countsAs: route.tier,
    declines: () => '',
    run: async (execution, slot, options) =>
      runLaunch(await prepareLaunch(route, execution, slot, around), options),
    close: async () => undefined,
  }
}
