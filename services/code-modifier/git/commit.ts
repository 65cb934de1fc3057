import git from 'isomorphic-git'
import type { CommitSigner } from './signature.ts'
import { wholeFiles } from './whole-files.ts'

/** Whom commits are by. */
export interface Committer {
  readonly name: string
  readonly email: string
}

export interface CommitToWrite {
  readonly tree: string
  readonly parent: string
  /** Ends with its trailers. */
  readonly message: string
  readonly committer: Committer
  /** Journalled before the commit is written, so that writing it again gives the same commit. */
  readonly atMs: number
}

/**
 * Writes a signed commit object and gives its id; no branch moves. The same input gives the same id: Ed25519 signs
 * deterministically, and nothing of the present moment goes in.
 */
export async function writeSignedCommit(
  gitdir: string,
  commit: CommitToWrite,
  signer: CommitSigner,
): Promise<string> {
  const { name, email } = commit.committer
  const person = `${name} <${email}> ${Math.floor(commit.atMs / 1000)} +0000`
  const headers = [
    `tree ${commit.tree}`,
    `parent ${commit.parent}`,
    `author ${person}`,
    `committer ${person}`,
  ]
  const message = `\n${commit.message.trimEnd()}\n`
  const signature = signer.sign(Buffer.from(`${headers.join('\n')}\n${message}`))
  const signed = [...headers, `gpgsig ${signature.replaceAll('\n', '\n ')}`]
  const object = Buffer.from(`${signed.join('\n')}\n${message}`)
  return git.writeObject({ fs: wholeFiles, gitdir, type: 'commit', format: 'content', object })
}

/** A commit message: subject, body wrapped by its writer, then trailers. Line breaks in a trailer's value become blanks. */
export function messageOf(subject: string, body: string, trailers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(trailers).map(
    ([name, value]) => `${name}: ${value.replaceAll(/\s+/g, ' ').trim()}`,
  )
  return [subject.replaceAll(/\s+/g, ' ').trim(), body.trim(), lines.join('\n')]
    .filter((part) => part !== '')
    .join('\n\n')
}
