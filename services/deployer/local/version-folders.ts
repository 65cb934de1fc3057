import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { versionOf } from './version.ts'

const maxOutputFiles = 20

/** Where a version's files are. */
export function versionFolder(dataFolder: string, target: string, commit: string): string {
  return path.join(dataFolder, 'versions', target, commit)
}

/** Where a version's output goes. */
export function outputFile(dataFolder: string, target: string, commit: string): string {
  return path.join(dataFolder, 'output', target, `${versionOf(commit)}.log`)
}

/** Removes the folders of a target's versions other than `keep`, and output files beyond the bound. */
export async function removeOldVersions(options: {
  dataFolder: string
  target: string
  keep: readonly string[]
}): Promise<void> {
  const { dataFolder, target, keep } = options
  const versions = path.join(dataFolder, 'versions', target)
  for (const name of await namesIn(versions)) {
    // A folder that is being made bears its commit and a suffix.
    if (keep.some((commit) => name.startsWith(commit))) continue
    await rm(path.join(versions, name), { recursive: true, force: true })
  }
  const output = path.join(dataFolder, 'output', target)
  const names = await namesIn(output)
  const spare = names.filter((name) => !keep.some((commit) => name.startsWith(versionOf(commit))))
  for (const name of spare.slice(0, Math.max(0, names.length - maxOutputFiles))) {
    await rm(path.join(output, name), { force: true })
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}
