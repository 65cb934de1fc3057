import { systemClock } from '../platform/clock.ts'
import { type Execution, type Tier, tiers, usualLimits } from './execution.ts'
import { openDockerRunner } from './runner.docker.ts'
import { openSandbox, type Sandbox, type SandboxOptions } from './sandbox.ts'

/** Where the tests look for the Docker Engine. */
export const dockerSocket = '/var/run/docker.sock'

/** A sandbox as the service opens it, with everything allowed that `options` do not forbid. */
export function openTestSandbox(options: Partial<SandboxOptions> & { folder: string }): Promise<Sandbox> {
  return openSandbox({
    mountRoots: [options.folder],
    tiers,
    allowHost: true,
    useControlGroups: true,
    maxConcurrent: 2,
    maxQueued: 8,
    openDocker: (around) => openDockerRunner(dockerSocket, around),
    clock: systemClock,
    ...options,
  })
}

/** A program for any tier, with the usual limits. */
export function execution(fields: Partial<Execution> & { command: readonly string[] }): Execution {
  return {
    environment: {},
    workingDirectory: '',
    stdin: new Uint8Array(),
    mounts: [],
    outputs: [],
    limits: usualLimits,
    leastTier: 'host',
    trust: 'target-own',
    ...fields,
  }
}

/** A tier under test, with control groups where there are any, or without. */
export interface Variant {
  readonly name: string
  readonly tier: Tier
  readonly useControlGroups: boolean
}

export const variants: readonly Variant[] = [
  { name: 'docker', tier: 'docker', useControlGroups: true },
  { name: 'bubblewrap', tier: 'bubblewrap', useControlGroups: true },
  { name: 'bubblewrap without control groups', tier: 'bubblewrap', useControlGroups: false },
  { name: 'unshare', tier: 'unshare', useControlGroups: true },
  { name: 'unshare without control groups', tier: 'unshare', useControlGroups: false },
  { name: 'host', tier: 'host', useControlGroups: true },
  { name: 'host without control groups', tier: 'host', useControlGroups: false },
]
