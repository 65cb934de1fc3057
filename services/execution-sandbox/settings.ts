import path from 'node:path'
import { flag, integer, list, oneOf, readSettings, type Setting, text } from '../platform/settings.ts'
import { type Tier, tiers } from './execution.ts'
import { maxSlots } from './sandbox.ts'

const table = {
  folder: {
    variable: 'NEXUS_SANDBOX_FOLDER',
    read: absolutePath,
    purpose: 'a folder of NEXUS’s own where executions have their files while they last',
  } satisfies Setting<string>,
  mountRoots: {
    variable: 'NEXUS_SANDBOX_MOUNT_ROOTS',
    read: (value: string) => list(value).map(absolutePath),
    purpose: 'the folders, separated by commas, below which executions may be given folders to read',
  } satisfies Setting<readonly string[]>,
  leastTier: {
    variable: 'NEXUS_SANDBOX_LEAST_TIER',
    read: oneOf(['unshare', 'bubblewrap', 'docker'] as const),
    purpose: 'the least tier for requests that name none',
    fallback: 'unshare' as const,
  },
  allowHost: {
    variable: 'NEXUS_SANDBOX_ALLOW_HOST',
    read: flag,
    purpose: 'whether the target’s own code may run without isolation where a request allows it',
    fallback: false,
  },
  tiers: {
    variable: 'NEXUS_SANDBOX_TIERS',
    read: readTiers,
    purpose: 'the tiers to try, separated by commas',
    fallback: tiers as readonly Tier[],
  },
  useControlGroups: {
    variable: 'NEXUS_SANDBOX_CGROUPS',
    read: flag,
    purpose: 'whether to use control groups where they can be written',
    fallback: true,
  },
  dockerSocket: {
    variable: 'NEXUS_SANDBOX_DOCKER_SOCKET',
    read: absolutePath,
    purpose: 'the socket of the Docker Engine',
    fallback: '/var/run/docker.sock',
  },
  maxConcurrent: {
    variable: 'NEXUS_SANDBOX_CONCURRENT',
    read: integer({ min: 1, max: maxSlots }),
    purpose: 'executions at the same time',
    fallback: 4,
  },
  maxQueued: {
    variable: 'NEXUS_SANDBOX_QUEUED',
    read: integer({ min: 0, max: 1000 }),
    purpose: 'executions that may wait for their turn',
    fallback: 32,
  },
} satisfies Record<string, Setting<unknown>>

export type SandboxSettings = ReturnType<typeof readSandboxSettings>

/** Errors: SettingsError. */
export function readSandboxSettings(env: Readonly<Record<string, string | undefined>>) {
  return readSettings(table, env)
}

function absolutePath(value: string): string {
  if (!path.isAbsolute(value)) throw new Error('must be an absolute path')
  return path.normalize(text(value))
}

function readTiers(value: string): readonly Tier[] {
  return list(value).map((word) => {
    const tier = tiers.find((known) => known === word)
    if (!tier) throw new Error(`must be of ${tiers.join(', ')}`)
    return tier
  })
}
