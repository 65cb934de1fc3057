import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { copyFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import git from 'isomorphic-git'
import { findGitFolder, type GitFolder, namesIn } from './git-folder.ts'
import { type Manifest, ManifestError, manifestPath, readManifest } from './manifest.ts'
import { moveBranch, readBranch, withRepositoryLock } from './refs.ts'
import { openRepository, type Repository } from './repository.ts'
import { TargetError } from './target-error.ts'

const maxObjectFiles = 1_000_000
const maxPathsNamed = 5
const copyAttempts = 3

/** A target's mirror, brought up to date. */
export interface SyncedMirror {
  readonly repository: Repository
  readonly branch: string
  /** The commit at the head of the branch in the mirror: the origin's, or a later one that NEXUS promoted. */
  readonly head: string
  /** `nexus.yaml` as it stands in that commit. */
  readonly manifest: Manifest
}

/**
 * Brings the mirror of a target up to date with the user's repository, making it when there is none; never writes into the origin.
 * `branch` is the one to follow; left out, the one that the origin's nexus.yaml names. An origin that is ahead fast-forwards the
 * mirror; a mirror that is ahead (promotions that the user has not pulled yet) stays.
 * Errors: TargetError (no repository, no branch, uncommitted changes, diverged …), ManifestError.
 */
export function syncMirror(options: {
  originPath: string
  mirrorPath: string
  branch?: string
}): Promise<SyncedMirror> {
  return withRepositoryLock(options.mirrorPath, async () => {
    const origin = await findGitFolder(options.originPath)
    const branch = options.branch ?? (await branchOfOrigin(options.originPath, origin))
    const originHead = await readBranch(origin.commonFolder, branch)
    if (originHead === undefined) throw noBranch(options.originPath, branch)
    await refuseUncommitted(options.originPath, origin)
    const repository = await fetchInto(options, { origin, branch, head: originHead })
    const head = await repository.headOf(branch)
    if (head === undefined) throw noBranch(options.mirrorPath, branch)
    const manifest = await manifestOf(repository, head)
    if (manifest.branch !== branch) {
      throw new ManifestError(
        'branch',
        `is ${manifest.branch} on the branch ${branch}: both must be the same`,
      )
    }
    return { repository, branch, head, manifest }
  })
}

/** The manifest of a commit. Errors: TargetError when it has none, ManifestError when it is malformed. */
export async function manifestOf(repository: Repository, commit: string): Promise<Manifest> {
  const bytes = await repository.readFile(commit, manifestPath)
  if (bytes === undefined) {
    throw new TargetError(
      'no-manifest',
      `the commit ${commit.slice(0, 10)} has no ${manifestPath} at its root: write one and commit it`,
    )
  }
  return readManifest(Buffer.from(bytes).toString('utf8'))
}

/** The branch that nexus.yaml names, read from the commit at the origin's HEAD. */
async function branchOfOrigin(originPath: string, origin: GitFolder): Promise<string> {
  const head = await headOf(originPath, origin)
  return (await manifestOf(openRepository(origin.commonFolder), head)).branch
}

async function headOf(originPath: string, origin: GitFolder): Promise<string> {
  const text = (await readFile(path.join(origin.gitFolder, 'HEAD'), 'utf8')).trim()
  const branch = /^ref: refs\/heads\/(.+)$/.exec(text)?.[1]
  const head = branch === undefined ? text : await readBranch(origin.commonFolder, branch)
  if (head === undefined) throw noBranch(originPath, branch ?? 'HEAD')
  return head
}

async function refuseUncommitted(originPath: string, origin: GitFolder): Promise<void> {
  if (origin.workFolder === undefined) return
  // `refresh: false`: isomorphic-git would otherwise write what it found into the user's index.
  const rows = await git.statusMatrix({
    fs: indexOf(origin),
    dir: origin.workFolder,
    gitdir: origin.commonFolder,
    refresh: false,
    ref: await headOf(originPath, origin),
  })
  const changed = rows.filter(([, head, work, stage]) => !(head === 1 && work === 1 && stage === 1))
  if (changed.length === 0) return
  const named = changed.slice(0, maxPathsNamed).map(([file]) => file)
  const rest = changed.length > named.length ? ` and ${changed.length - named.length} more` : ''
  throw new TargetError(
    'uncommitted',
    `${originPath} has uncommitted changes (${named.join(', ')}${rest}): commit, stash or ignore them`,
  )
}

/**
 * A linked worktree has its own index and shares all else; isomorphic-git knows one folder only. The functions are async because
 * isomorphic-git calls `readFile()` without arguments to see whether it gets a promise.
 */
function indexOf({ gitFolder, commonFolder }: GitFolder): git.PromiseFsClient {
  const shared = path.join(commonFolder, 'index')
  const place = (file: string) => (path.resolve(file) === shared ? path.join(gitFolder, 'index') : file)
  const promises: git.PromiseFsClient['promises'] = {
    ...fs.promises,
    readFile: async (file: string, options: object) => fs.promises.readFile(place(file), options),
    lstat: async (file: string) => fs.promises.lstat(place(file)),
    stat: async (file: string) => fs.promises.stat(place(file)),
  }
  return { promises }
}

async function fetchInto(
  options: { originPath: string; mirrorPath: string },
  from: { origin: GitFolder; branch: string; head: string },
): Promise<Repository> {
  const exists = (await stat(path.join(options.mirrorPath, 'HEAD')).catch(() => undefined)) !== undefined
  if (!exists) return createMirror(options.mirrorPath, from)
  const repository = openRepository(options.mirrorPath)
  const mirrorHead = await repository.headOf(from.branch)
  if (mirrorHead === from.head) return repository
  await copyObjects(from.origin.commonFolder, options.mirrorPath, from.head)
  if (mirrorHead !== undefined && (await repository.contains(mirrorHead, from.head))) return repository
  if (mirrorHead !== undefined && !(await repository.contains(from.head, mirrorHead))) {
    throw new TargetError(
      'diverged',
      `branch ${from.branch} of ${options.originPath} (${from.head.slice(0, 10)}) and of NEXUS's mirror ${options.mirrorPath} (${mirrorHead.slice(0, 10)}) have diverged: pull the mirror's branch into yours, and commit`,
    )
  }
  await moveBranch(options.mirrorPath, { branch: from.branch, from: mirrorHead, to: from.head })
  return repository
}

/** Made in a folder beside and renamed, so that a mirror that can be seen is whole. */
async function createMirror(
  mirrorPath: string,
  from: { origin: GitFolder; branch: string; head: string },
): Promise<Repository> {
  const temporary = `${mirrorPath}.tmp-${randomBytes(6).toString('hex')}`
  try {
    await mkdir(temporary, { recursive: true, mode: 0o700 })
    await git.init({ fs, gitdir: temporary, bare: true, defaultBranch: from.branch })
    await copyObjects(from.origin.commonFolder, temporary, from.head)
    await moveBranch(temporary, { branch: from.branch, from: undefined, to: from.head })
    await rename(temporary, mirrorPath)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
  return openRepository(mirrorPath)
}

/**
 * Copies the object files that the mirror does not have; their names say their content. A `git gc` in the origin may take files
 * away meanwhile, so the head is read afterwards and the copy repeated where that fails.
 */
async function copyObjects(commonFolder: string, mirrorPath: string, head: string): Promise<void> {
  const [source, destination] = [path.join(commonFolder, 'objects'), path.join(mirrorPath, 'objects')]
  for (let attempt = 1; ; attempt++) {
    try {
      await copyObjectFolder(source, destination)
      await openRepository(mirrorPath).listFiles(head)
      return
    } catch (error) {
      if (attempt >= copyAttempts || error instanceof TargetError) throw error
    }
  }
}

async function copyObjectFolder(source: string, destination: string): Promise<void> {
  let files = 0
  const folders = (await namesIn(source)).filter((name) => /^[0-9a-f]{2}$/.test(name))
  for (const folder of ['pack', ...folders]) {
    const names = (await namesIn(path.join(source, folder))).filter((name) => isObjectFile(folder, name))
    const have = new Set(await namesIn(path.join(destination, folder)))
    // A pack comes before its index, so that no index is ever without its pack.
    for (const name of names.toSorted((a, b) => Number(a.endsWith('.idx')) - Number(b.endsWith('.idx')))) {
      if (have.has(name)) continue
      if (++files > maxObjectFiles) {
        throw new TargetError(
          'too-large',
          `the repository has more than ${maxObjectFiles} object files: run \`git gc\` there`,
        )
      }
      await copyWhole(path.join(source, folder, name), path.join(destination, folder, name))
    }
  }
}

function isObjectFile(folder: string, name: string): boolean {
  if (folder === 'pack') return /^pack-[0-9a-f]{40}\.(?:pack|idx)$/.test(name)
  return /^[0-9a-f]{38}$/.test(name)
}

async function copyWhole(from: string, to: string): Promise<void> {
  const temporary = `${to}.tmp-${randomBytes(6).toString('hex')}`
  await mkdir(path.dirname(to), { recursive: true })
  try {
    await copyFile(from, temporary, fs.constants.COPYFILE_FICLONE)
    await rename(temporary, to)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

function noBranch(where: string, branch: string): TargetError {
  return new TargetError(
    'no-branch',
    `${where} has no commit on the branch ${branch}: commit there, or name another branch in ${manifestPath}`,
  )
}
