import git, { type TreeEntry } from 'isomorphic-git'
import { wholeFiles } from './whole-files.ts'

/** A file of a tree as it is to be: its bytes, or null when it is to be gone. */
export interface FileInTree {
  /** From the repository's root, with `/`. */
  readonly path: string
  readonly content: Uint8Array | null
}

/**
 * Writes the tree that a commit's tree becomes with these files in place, and gives its id. Only the folders on the way are
 * written anew; no index is involved. A file that is new is an ordinary one; one that exists keeps its mode.
 */
export async function writeChangedTree(
  gitdir: string,
  commit: string,
  files: readonly FileInTree[],
): Promise<string> {
  const { commit: read } = await git.readCommit({ fs: wholeFiles, gitdir, oid: commit })
  const tree = await changeFolder(gitdir, read.tree, files)
  return tree ?? (await git.writeTree({ fs: wholeFiles, gitdir, tree: [] }))
}

async function changeFolder(
  gitdir: string,
  oid: string | undefined,
  files: readonly FileInTree[],
): Promise<string | undefined> {
  const entries = new Map<string, TreeEntry>()
  if (oid !== undefined)
    for (const entry of (await git.readTree({ fs: wholeFiles, gitdir, oid })).tree)
      entries.set(entry.path, entry)
  const below = Map.groupBy(files, ({ path }) => path.split('/', 1)[0] ?? path)
  for (const [name, inside] of below) {
    const entry = await changeEntry(gitdir, name, entries.get(name), inside)
    if (entry === undefined) entries.delete(name)
    else entries.set(name, entry)
  }
  // A folder without files does not exist in git.
  return entries.size === 0
    ? undefined
    : git.writeTree({ fs: wholeFiles, gitdir, tree: [...entries.values()] })
}

async function changeEntry(
  gitdir: string,
  name: string,
  before: TreeEntry | undefined,
  files: readonly FileInTree[],
): Promise<TreeEntry | undefined> {
  const [file] = files
  if (file !== undefined && file.path === name) {
    if (file.content === null) return undefined
    const oid = await git.writeBlob({ fs: wholeFiles, gitdir, blob: file.content })
    return { path: name, oid, type: 'blob', mode: before?.type === 'blob' ? before.mode : '100644' }
  }
  const inside = files.map(({ path, content }) => ({ path: path.slice(name.length + 1), content }))
  const oid = await changeFolder(gitdir, before?.type === 'tree' ? before.oid : undefined, inside)
  return oid === undefined ? undefined : { path: name, oid, type: 'tree', mode: '040000' }
}
