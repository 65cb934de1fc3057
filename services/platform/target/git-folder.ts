import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { TargetError } from './target-error.ts'

/** Where a repository keeps its things: a plain checkout, a linked worktree or a bare repository. */
export interface GitFolder {
  /** What HEAD and the index belong to. */
  readonly gitFolder: string
  /** What objects and branches belong to; another folder only for a linked worktree. */
  readonly commonFolder: string
  /** The checkout, or undefined for a bare repository. */
  readonly workFolder?: string
}

/** Finds the git folder at `originPath`. Errors: TargetError when there is none, or one of a kind that NEXUS cannot read. */
export async function findGitFolder(originPath: string): Promise<GitFolder> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(originPath) || /^[^/@]+@[^/:]+:/.test(originPath)) {
    throw new TargetError(
      'not-local',
      `${originPath} is a URL, and this version reads local repositories only: clone it and name the folder in NEXUS_TARGETS`,
    )
  }
  const folder = await locate(path.resolve(originPath))
  if (folder === undefined) {
    throw new TargetError(
      'not-a-repository',
      `${originPath} is not a git repository: name the folder of one in NEXUS_TARGETS, or run \`git init\` and commit there`,
    )
  }
  await refuseUnreadable(originPath, folder.commonFolder)
  return folder
}

async function locate(origin: string): Promise<GitFolder | undefined> {
  if (await isGitFolder(origin)) return { gitFolder: origin, commonFolder: origin }
  const dotGit = path.join(origin, '.git')
  const kind = await lstat(dotGit).catch(() => undefined)
  if (kind === undefined) return undefined
  let gitFolder = dotGit
  if (kind.isFile()) {
    const link = /^gitdir: (.+)$/m.exec((await readText(dotGit)) ?? '')?.[1]
    if (link === undefined) return undefined
    gitFolder = path.resolve(origin, link.trim())
  }
  const common = (await readText(path.join(gitFolder, 'commondir')))?.trim()
  const commonFolder = common === undefined ? gitFolder : path.resolve(gitFolder, common)
  if (!(await isGitFolder(commonFolder))) return undefined
  return { gitFolder, commonFolder, workFolder: await realpath(origin) }
}

async function isGitFolder(folder: string): Promise<boolean> {
  const [head, objects, refs] = await Promise.all(
    ['HEAD', 'objects', 'refs'].map((name) => stat(path.join(folder, name)).catch(() => undefined)),
  )
  return Boolean(head?.isFile() && objects?.isDirectory() && refs?.isDirectory())
}

async function refuseUnreadable(origin: string, commonFolder: string): Promise<void> {
  if ((await readText(path.join(commonFolder, 'shallow'))) !== undefined) {
    throw new TargetError(
      'unsupported',
      `${origin} is a shallow clone, whose history is cut: run \`git fetch --unshallow\` there`,
    )
  }
  if (await readText(path.join(commonFolder, 'objects', 'info', 'alternates'))) {
    throw new TargetError(
      'unsupported',
      `${origin} borrows objects of another repository: run \`git repack -a -d && rm .git/objects/info/alternates\` there`,
    )
  }
  const config = (await readText(path.join(commonFolder, 'config'))) ?? ''
  if (/^\s*objectformat\s*=\s*sha256/im.test(config)) {
    throw new TargetError(
      'unsupported',
      `${origin} names its objects by SHA-256: NEXUS reads SHA-1 repositories`,
    )
  }
  if (/^\s*refstorage\s*=\s*reftable/im.test(config)) {
    throw new TargetError(
      'unsupported',
      `${origin} keeps its branches in a reftable: run \`git refs migrate --ref-format=files\` there`,
    )
  }
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** The names in a folder, none when it does not exist. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
