import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import Docker from 'dockerode'
import { removeLabelled } from './docker-cleanup.ts'
import { ensureImage } from './docker-image.ts'
import { type DockerPlace, ownerLabel, runContainer } from './docker-run.ts'
import { type Execution, refusedVerdict, type Tier, type Verdict } from './execution.ts'
import type { Surroundings } from './launch.ts'
import { absent, canary, capabilityFrom } from './probe.ts'
import { isAlive } from './processes.ts'
import { closedRunner, type Runner } from './runner.ts'

const remedy = 'Start the Docker Engine and let NEXUS use its socket'

/** Opens the Docker tier on a local socket, by running the canary in a container. */
export async function openDockerRunner(socketPath: string, around: Surroundings): Promise<Runner> {
  if (!existsSync(socketPath)) {
    return closedRunner(absent('docker', `there is no Docker socket at ${socketPath}. ${remedy}`))
  }
  const docker = new Docker({ socketPath })
  try {
    const owner = `${hostname()}:${process.pid}:${path.basename(around.folder)}`
    await removeOrphans(docker)
    const image = await ensureImage(docker, around.folder)
    return await probe({ docker, image, owner, network: 'disabled', around }, socketPath)
  } catch (error) {
    return closedRunner(absent('docker', `${(error as Error).message}. ${remedy}`))
  }
}

async function probe(place: DockerPlace, socketPath: string): Promise<Runner> {
  const { countsAs, remark } = await judgeEngine(place.docker)
  const remarks = [remark, 'only node can be run, the image has nothing else']
  let tried = place
  let capability = capabilityFrom(await runCanary(tried), { memoryOfAll: true, remarks, remedy })
  if (capability.available && !capability.loopback) {
    tried = { ...place, network: 'none' }
    capability = capabilityFrom(await runCanary(tried), { memoryOfAll: true, remarks, remedy })
  }
  return capability.available ? runnerOf(tried, capability, countsAs, socketPath) : closedRunner(capability)
}

async function runCanary(place: DockerPlace): Promise<Verdict> {
  return runContainer(place, canary('docker', path.join(place.around.etc, 'passwd')), 0, {})
}

function runnerOf(
  place: DockerPlace,
  capability: Runner['capability'],
  countsAs: Tier,
  socketPath: string,
): Runner {
  let guardian: ChildProcess | undefined
  return {
    capability,
    countsAs,
    declines: ({ command }: Execution) =>
      command[0] === 'node' ? '' : `its image has only node, not ${command[0]}`,
    run: async (execution, slot, options) => {
      guardian ??= startGuardian(socketPath, place.owner)
      try {
        return await runContainer(place, execution, slot, options)
      } catch (error) {
        return refusedVerdict('docker', `the Docker Engine refused: ${(error as Error).message}`)
      }
    },
    close: async () => {
      await removeLabelled(place.docker, `${ownerLabel}=${place.owner}`)
      guardian?.kill('SIGKILL')
    },
  }
}

/** A small process that removes this process's containers when this process has died, known by the end of its input. */
function startGuardian(socketPath: string, owner: string): ChildProcess {
  const script = path.join(import.meta.dirname, 'docker-guardian.ts')
  const guardian = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, socketPath, `${ownerLabel}=${owner}`],
    { cwd: '/', detached: true, env: {}, stdio: ['pipe', 'ignore', 'ignore'] },
  )
  guardian.on('error', () => undefined)
  guardian.stdin?.on('error', () => undefined)
  guardian.unref()
  return guardian
}

/** Removes what processes left that were killed together with their guardian. */
async function removeOrphans(docker: Docker): Promise<void> {
  const all = await docker.listContainers({ all: true, filters: { label: [ownerLabel] } })
  const owners = new Set(all.map((each) => each.Labels[ownerLabel] ?? ''))
  for (const owner of owners) {
    const [host, pid] = owner.split(':')
    if (host !== hostname() || isAlive(Number(pid))) continue
    await removeLabelled(docker, `${ownerLabel}=${owner}`)
  }
}

/**
 * The first releases in which the known ways out of a container are closed (CVE-2025-31133 and its like,
 * CVE-2026-31431).
 */
const safeEngine = [29, 4, 3]
const safeRunc = [1, 2, 8]

async function judgeEngine(docker: Docker): Promise<{ countsAs: Tier; remark: string }> {
  const version = await docker.version()
  const runc = version.Components?.find((component) => component.Name === 'runc')?.Version
  const isSafe = isFrom(version.Version, safeEngine) && (!runc || isFrom(runc, safeRunc))
  if (isSafe) return { countsAs: 'docker', remark: '' }
  const found = `engine ${version.Version}, runc ${runc ?? 'unknown'}`
  return {
    countsAs: 'bubblewrap',
    remark: `${found}: counts as bubblewrap, because ways out of its containers are known; update to engine ${safeEngine.join('.')} and runc ${safeRunc.join('.')} or newer`,
  }
}

/** Whether a version such as 20.10.24+dfsg1 is at least `least`. */
export function isFrom(version: string, least: readonly number[]): boolean {
  const parts = (/^\d+(\.\d+)*/.exec(version)?.[0] ?? '0').split('.').map(Number)
  for (const [index, wanted] of least.entries()) {
    const part = parts[index] ?? 0
    if (part !== wanted) return part > wanted
  }
  return true
}
