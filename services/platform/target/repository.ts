import fs from 'node:fs'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import git from 'isomorphic-git'
import { readBranch } from './refs.ts'
import { TargetError } from './target-error.ts'

/** One file of a commit. */
export interface TreeFile {
  /** From the repository's root, with `/`. */
  readonly path: string
  readonly oid: string
  readonly mode: 'file' | 'executable' | 'symlink'
}

/** A commit, as far as NEXUS looks into it. */
export interface CommitInfo {
  readonly tree: string
  readonly parents: readonly string[]
  readonly message: string
}

export const maxFilesPerTree = 50_000
export const maxFileBytes = 64 * 1024 * 1024
export const maxTreeBytes = 1024 * 1024 * 1024
const maxHistoryDepth = 50_000
const maxTreeDepth = 64

/** A bare repository of NEXUS, read. Every method takes what it needs to know; nothing is remembered between calls. */
export interface Repository {
  readonly gitFolder: string
  /** The commit at the head of a branch, or undefined. */
  headOf(branch: string): Promise<string | undefined>
  /** Errors: TargetError when the repository does not have it. */
  commit(commit: string): Promise<CommitInfo>
  treeOf(commit: string): Promise<string>
  /** The files of a commit, sorted by path. Errors: TargetError for submodules and trees above the bounds. */
  listFiles(commit: string): Promise<readonly TreeFile[]>
  /** The bytes of a file, or undefined when the commit does not have it. */
  readFile(commit: string, filePath: string): Promise<Uint8Array | undefined>
  /** Whether `commit` is `ancestor` or came after it. */
  contains(commit: string, ancestor: string): Promise<boolean>
  /** Writes the files of a commit below `folder`, which must be new or empty. Symbolic links that lead out are refused. */
  materialise(commit: string, folder: string): Promise<void>
}

/** Opens a bare repository that `syncMirror` made. Reads nothing yet. */
export function openRepository(gitFolder: string): Repository {
  const at = (cache: object) => ({ fs, gitdir: gitFolder, cache })
  return {
    gitFolder,
    headOf: (branch) => readBranch(gitFolder, branch),
    commit: (commit) => readCommit(at({}), commit),
    treeOf: async (commit) => (await readCommit(at({}), commit)).tree,
    listFiles: (commit) => listFiles(at({}), commit),
    readFile: (commit, filePath) => readFile(at({}), commit, filePath),
    contains: (commit, ancestor) => contains(at({}), commit, ancestor),
    materialise: (commit, folder) => materialise(at({}), commit, folder),
  }
}

interface At {
  readonly fs: typeof fs
  readonly gitdir: string
  /** isomorphic-git keeps parsed packs in it; one for each call, so that an idle process holds none. */
  readonly cache: object
}

async function readCommit(at: At, commit: string): Promise<CommitInfo> {
  try {
    const { commit: read } = await git.readCommit({ ...at, oid: commit })
    return { tree: read.tree, parents: read.parent, message: read.message }
  } catch (error) {
    if ((error as { code?: string }).code !== 'NotFoundError') throw error
    throw new TargetError('moved', `the repository does not have the commit ${commit}`, { cause: error })
  }
}

async function listFiles(at: At, commit: string): Promise<TreeFile[]> {
  const files: TreeFile[] = []
  const { tree } = await readCommit(at, commit)
  await collectFiles(at, { oid: tree, prefix: '', depth: 0 }, files)
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

async function collectFiles(
  at: At,
  folder: { oid: string; prefix: string; depth: number },
  files: TreeFile[],
): Promise<void> {
  if (folder.depth > maxTreeDepth) throw tooLarge(`folders are nested deeper than ${maxTreeDepth}`)
  const { tree } = await git.readTree({ ...at, oid: folder.oid })
  for (const entry of tree) {
    const filePath = folder.prefix + entry.path
    if (entry.type === 'commit') {
      throw new TargetError('unsupported', `${filePath} is a submodule, which this version does not read`)
    }
    if (entry.type === 'tree') {
      await collectFiles(at, { oid: entry.oid, prefix: `${filePath}/`, depth: folder.depth + 1 }, files)
      continue
    }
    if (files.length >= maxFilesPerTree) throw tooLarge(`it has more than ${maxFilesPerTree} files`)
    files.push({ path: filePath, oid: entry.oid, mode: modeOf(entry.mode) })
  }
}

async function readFile(at: At, commit: string, filePath: string): Promise<Uint8Array | undefined> {
  try {
    const { blob } = await git.readBlob({ ...at, oid: commit, filepath: filePath })
    return blob
  } catch (error) {
    if ((error as { code?: string }).code === 'NotFoundError') return undefined
    throw error
  }
}

async function contains(at: At, commit: string, ancestor: string): Promise<boolean> {
  if (commit === ancestor) return true
  try {
    return await git.isDescendent({ ...at, oid: commit, ancestor, depth: maxHistoryDepth })
  } catch (error) {
    if ((error as { code?: string }).code === 'NotFoundError') return false
    throw error
  }
}

async function materialise(at: At, commit: string, folder: string): Promise<void> {
  const files = await listFiles(at, commit)
  let totalBytes = 0
  for (const file of files) {
    const { blob } = await git.readBlob({ ...at, oid: file.oid })
    totalBytes += blob.byteLength
    if (blob.byteLength > maxFileBytes) throw tooLarge(`${file.path} is larger than ${maxFileBytes} bytes`)
    if (totalBytes > maxTreeBytes) throw tooLarge(`its files are larger than ${maxTreeBytes} bytes together`)
    await writeTreeFile(folder, file, blob)
  }
}

async function writeTreeFile(folder: string, file: TreeFile, content: Uint8Array): Promise<void> {
  const place = safeJoin(folder, file.path)
  await mkdir(path.dirname(place), { recursive: true })
  if (file.mode === 'symlink') {
    const target = Buffer.from(content).toString('utf8')
    safeJoin(folder, path.posix.join(path.posix.dirname(file.path), target), target)
    await symlink(target, place)
    return
  }
  await writeFile(place, content, { flag: 'wx' })
  if (file.mode === 'executable') await chmod(place, 0o755)
}

/** Joins and makes sure that the result stays inside `folder`; git itself refuses `..` and `.git`, other writers may not. */
function safeJoin(folder: string, relative: string, linkTarget?: string): string {
  const place = path.resolve(folder, relative)
  const inside = place.startsWith(path.resolve(folder) + path.sep)
  const hasGit = relative.split('/').some((part) => part.toLowerCase() === '.git')
  if (!inside || hasGit || (linkTarget !== undefined && path.isAbsolute(linkTarget))) {
    throw new TargetError(
      'unsupported',
      `the repository holds the path or link ${linkTarget ?? relative}, which leads out of it`,
    )
  }
  return place
}

function modeOf(mode: string): TreeFile['mode'] {
  if (mode === '120000') return 'symlink'
  return mode === '100755' ? 'executable' : 'file'
}

function tooLarge(problem: string): TargetError {
  return new TargetError('too-large', `the target's repository is too large for NEXUS: ${problem}`)
}
