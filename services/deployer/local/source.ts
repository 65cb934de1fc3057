import path from 'node:path'
import type { Journal } from '../../platform/journal/journal.ts'
import { type Manifest, ManifestError } from '../../platform/target/manifest.ts'
import { manifestOf, syncMirror } from '../../platform/target/mirror.ts'
import { openRepository, type Repository } from '../../platform/target/repository.ts'
import { TargetError } from '../../platform/target/target-error.ts'
import { readStable, type StableRecord } from '../stable.ts'

/** A target as its mirror has it. */
export interface Source {
  readonly repository: Repository
  /** The commit that is to be stable. */
  readonly commit: string
  /** Of that commit: a change cannot alter how it is started, judged and rolled out. */
  readonly manifest: Manifest
  /** What is to be journalled once it runs. */
  readonly stable: StableRecord
  /** What is worth knowing although it can run. */
  readonly remark: string
}

interface Place {
  readonly name: string
  readonly originPath: string
  readonly dataFolder: string
  readonly journal: Journal
}

/**
 * Brings the mirror up to date and finds what is to be stable: the commit that was promoted last, or the head of the branch once that
 * contains it. What ran before can run again even when the user's checkout cannot be read now. Errors: TargetError, ManifestError.
 */
export async function readSource({ name, originPath, dataFolder, journal }: Place): Promise<Source> {
  const mirrorPath = path.join(dataFolder, 'repositories', `${name}.git`)
  const record = await readStable(journal, name)
  try {
    const { repository, head } = await syncMirror({ originPath, mirrorPath })
    // A promoted commit is stable before the branch has it; a branch that has gone on from it is what its owners want.
    const isBehind = record !== undefined && !(await repository.contains(head, record.commit))
    const commit = isBehind ? record.commit : head
    const stable = record?.commit === commit ? record : { commit, deploymentId: '' }
    return { repository, commit, manifest: await runnable(repository, commit), stable, remark: '' }
  } catch (error) {
    if (!(error instanceof TargetError) || !record || error.fault === 'no-manifest') throw error
    const repository = openRepository(mirrorPath)
    const { commit } = record
    const remark = `it runs as it was before: ${error.message}`
    return { repository, commit, manifest: await runnable(repository, commit), stable: record, remark }
  }
}

async function runnable(repository: Repository, commit: string): Promise<Manifest> {
  const manifest = await manifestOf(repository, commit)
  if (manifest.services.length === 1) return manifest
  throw new ManifestError('services', 'must hold one service: the local driver runs one for each target')
}
