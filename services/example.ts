import fs from 'node:fs'
import { cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import git from 'isomorphic-git'
import { root } from './embedded.ts'

const author = { name: 'Storefront team', email: 'team@storefront.example' }
const leftOut = new Set(['node_modules', '.git'])

/**
 * Makes the example target: a copy of examples/storefront as a git repository of its own with one commit on `main`.
 * What is there already stays as it is. Atomic: made aside and renamed. `edit` may change the copy before it is committed.
 */
export async function makeExampleRepository(
  folder: string,
  edit: (copy: string) => Promise<void> = async () => undefined,
): Promise<void> {
  if (await exists(folder)) return
  const making = `${folder}.making-${process.pid}`
  await rm(making, { recursive: true, force: true })
  await mkdir(path.dirname(folder), { recursive: true })
  const source = path.join(root, 'examples', 'storefront')
  await cp(source, making, { recursive: true, filter: (file) => !leftOut.has(path.basename(file)) })
  await edit(making)
  await commitAll(making, 'Import the storefront')
  await rename(making, folder)
}

/** Commits every file of a folder on `main`; gives the commit. */
export async function commitAll(folder: string, message: string): Promise<string> {
  await git.init({ fs, dir: folder, defaultBranch: 'main' })
  const files = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const file of files) {
    const name = path.relative(folder, path.join(file.parentPath, file.name))
    if (file.isFile() && !name.startsWith('.git/')) await git.add({ fs, dir: folder, filepath: name })
  }
  return git.commit({ fs, dir: folder, message, author, committer: author })
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}
