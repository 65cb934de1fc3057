import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readlink, rename, rm, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import { provideDependencies } from './dependencies.ts'
import type { Manifest } from './manifest.ts'
import type { Repository } from './repository.ts'
import { TargetError } from './target-error.ts'

/** A commit as files, ready to run. */
export interface Checkout {
  readonly folder: string
  /** What `node_modules` in the folder links to; a sandbox must mount it too. */
  readonly dependencies: string | undefined
}

/**
 * Writes a commit into `folder` with a link `node_modules` to its dependencies. The folder appears whole by a rename; one that
 * is there already is taken as it is. Errors: TargetError.
 */
export async function prepareCheckout(options: {
  repository: Repository
  commit: string
  folder: string
  manifest: Manifest
  /** `<data>/dependencies`. */
  dependenciesStore: string
  signal: AbortSignal
  /** The process's environment; see `provideDependencies`. */
  environment: Readonly<Record<string, string | undefined>>
}): Promise<Checkout> {
  const { folder, manifest, dependenciesStore: storeFolder, signal, environment } = options
  const ready = await readCheckout(folder)
  if (ready) return ready
  const temporary = `${folder}.tmp-${randomBytes(6).toString('hex')}`
  try {
    await mkdir(temporary, { recursive: true, mode: 0o755 })
    await options.repository.materialise(options.commit, temporary)
    const dependencies = await provideDependencies({
      folder: temporary,
      manifest,
      storeFolder,
      signal,
      environment,
    })
    if (dependencies !== undefined) await link(dependencies, temporary)
    await renameOnce(temporary, folder)
    return { folder, dependencies }
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** The checkout that is there, unless its dependencies are gone: then it is removed, to be made anew. */
async function readCheckout(folder: string): Promise<Checkout | undefined> {
  if ((await lstat(folder).catch(() => undefined)) === undefined) return undefined
  const link = await readlink(path.join(folder, 'node_modules')).catch(() => undefined)
  if (link === undefined) return { folder, dependencies: undefined }
  const dependencies = path.resolve(folder, link)
  if ((await stat(dependencies).catch(() => undefined)) !== undefined) return { folder, dependencies }
  await rm(folder, { recursive: true, force: true })
  return undefined
}

async function link(dependencies: string, folder: string): Promise<void> {
  try {
    // Relative, so that it leads there too where a sandbox shows both folders under other names.
    await symlink(path.relative(folder, dependencies), path.join(folder, 'node_modules'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new TargetError(
      'unsupported',
      'the repository holds a node_modules and nexus.yaml an install command: ignore the one or leave out the other',
      { cause: error },
    )
  }
}

async function renameOnce(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
