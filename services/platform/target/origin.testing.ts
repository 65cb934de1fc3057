import fs from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import git from 'isomorphic-git'

const author = { name: 'Team', email: 'team@example.test', timestamp: 1_760_000_000, timezoneOffset: 0 }

/** For tests: makes `folder` a checkout with these files in one commit on `main`, and gives the commit. */
export async function makeOrigin(folder: string, files: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(folder, { recursive: true })
  await git.init({ fs, dir: folder, defaultBranch: 'main' })
  return commitFiles(folder, files, 'Begin')
}

/** For tests: writes files into the checkout and commits them. */
export async function commitFiles(
  folder: string,
  files: Readonly<Record<string, string>>,
  message: string,
): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const place = path.join(folder, name)
    await mkdir(path.dirname(place), { recursive: true })
    await writeFile(place, content)
    await git.add({ fs, dir: folder, filepath: name })
  }
  return git.commit({ fs, dir: folder, message, author, committer: author })
}
