import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** The path of a UNIX socket has at most 103 bytes on macOS and 107 on Linux; what stands behind the folder takes some 40. */
const longestFolder = 60

/** A new folder for sockets: in the usual place for temporary files, or in /tmp where the name of that place is too long for them. */
export function makeSocketFolder(): Promise<string> {
  const usual = tmpdir()
  return mkdtemp(path.join(usual.length > longestFolder ? '/tmp' : usual, 'storefront-'))
}
