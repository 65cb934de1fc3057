import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import git from 'isomorphic-git'
import { TargetError } from './target-error.ts'

const locks = new Map<string, Promise<unknown>>()

/**
 * Runs `work` alone among all that name the same repository. A lock of this process is enough: the data folder, and with it
 * every mirror, belongs to one process (data-folder.ts).
 */
export async function withRepositoryLock<T>(gitFolder: string, work: () => Promise<T>): Promise<T> {
  const key = path.resolve(gitFolder)
  const before = locks.get(key) ?? Promise.resolve()
  const mine = before.then(work, work)
  const settled = mine.catch(() => undefined)
  locks.set(key, settled)
  try {
    return await mine
  } finally {
    if (locks.get(key) === settled) locks.delete(key)
  }
}

/** The commit at the head of a branch; undefined when there is no such branch. */
export async function readBranch(gitFolder: string, branch: string): Promise<string | undefined> {
  try {
    return await git.resolveRef({ fs, gitdir: gitFolder, ref: `refs/heads/${branch}` })
  } catch (error) {
    if ((error as { code?: string }).code === 'NotFoundError') return undefined
    throw error
  }
}

/**
 * Moves a branch from `from` (undefined: it does not exist yet) to `to`; call it under `withRepositoryLock`.
 * Errors: TargetError `moved` when it is elsewhere by now, and then nothing has changed.
 */
export async function moveBranch(
  gitFolder: string,
  move: { branch: string; from: string | undefined; to: string },
): Promise<void> {
  const actual = await readBranch(gitFolder, move.branch)
  if (actual === move.to) return
  if (actual !== move.from) {
    throw new TargetError(
      'moved',
      `branch ${move.branch} is at ${actual?.slice(0, 10) ?? 'nothing'}, not at ${move.from?.slice(0, 10) ?? 'nothing'} as it was: read it again`,
    )
  }
  const file = path.join(gitFolder, 'refs', 'heads', ...move.branch.split('/'))
  await mkdir(path.dirname(file), { recursive: true })
  // Beside the branches, since a file among them would be a branch, also when a crash leaves it there.
  const temporary = path.join(gitFolder, `ref.tmp-${randomBytes(6).toString('hex')}`)
  await replaceFile(file, `${move.to}\n`, temporary)
}

/**
 * Writes a file so that a reader, and the disk after a crash, have the old content or the new, never a part. It is written as
 * `temporary` first, which must be on the same disk and is gone afterwards.
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  temporary: string,
): Promise<void> {
  try {
    const handle = await open(temporary, 'wx')
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
