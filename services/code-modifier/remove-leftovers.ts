import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'

/** Folders of the data folder, and what in them is of no use once the process that made it is gone. */
const leftovers = [
  { folder: 'worktrees', names: /./ },
  { folder: 'repositories', names: /\.tmp-[0-9a-f]+$/ },
  { folder: 'dependencies', names: /\.tmp-[0-9a-f]+(?:-kept)?$/ },
] as const

/** Removes what a killed process left unfinished; to be called before anything is begun. Gives how many things there were. */
export async function removeLeftovers(dataFolder: string): Promise<number> {
  let count = 0
  for (const { folder, names } of leftovers) {
    const place = path.join(dataFolder, folder)
    const found = (await readdir(place).catch(() => [])).filter((name) => names.test(name))
    await Promise.all(found.map((name) => rm(path.join(place, name), { recursive: true, force: true })))
    count += found.length
  }
  return count
}
