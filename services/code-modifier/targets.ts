import path from 'node:path'
import { Code, ConnectError } from '@connectrpc/connect'
import { ManifestError } from '../platform/target/manifest.ts'
import { type SyncedMirror, syncMirror } from '../platform/target/mirror.ts'
import { TargetError } from '../platform/target/target-error.ts'

/** The targets by name, and NEXUS's clones of them. */
export interface Targets {
  /** The target's mirror, brought up to date. Errors: ConnectError not_found, or failed_precondition with the remedy. */
  readonly sync: (target: string) => Promise<SyncedMirror>
  readonly mirrorOf: (target: string) => string
}

export function createTargets(repositories: ReadonlyMap<string, string>, dataFolder: string): Targets {
  const mirrorOf = (target: string) => path.join(dataFolder, 'repositories', `${target}.git`)
  const sync = async (target: string) => {
    const originPath = repositories.get(target)
    if (originPath === undefined) {
      const known = [...repositories.keys()].join(', ') || 'none'
      throw new ConnectError(`target: "${target}" is not known; there is ${known}`, Code.NotFound)
    }
    try {
      const synced = await syncMirror({ originPath, mirrorPath: mirrorOf(target) })
      if (synced.manifest.name === target) return synced
      throw new ManifestError(
        'name',
        `is ${synced.manifest.name}, but NEXUS_TARGETS calls the target ${target}: make both the same`,
      )
    } catch (error) {
      throw asConnectError(error)
    }
  }
  return { sync, mirrorOf }
}

/** What the owner of a target can put right leaves as failed_precondition, in its own words; anything else stays what it is. */
export function asConnectError(error: unknown): unknown {
  if (!(error instanceof TargetError || error instanceof ManifestError)) return error
  return new ConnectError(error.message, Code.FailedPrecondition, undefined, undefined, error)
}
