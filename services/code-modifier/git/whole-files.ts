import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import type { PromiseFsClient } from 'isomorphic-git'
import { replaceFile } from '../../platform/target/refs.ts'

/**
 * A file system for isomorphic-git whose files appear whole. isomorphic-git takes an object that is there as it is, so a part of one
 * that a crash left would stay for ever. The temporary name is the one that `git gc` clears away.
 */
export const wholeFiles: PromiseFsClient = {
  promises: {
    ...fs.promises,
    writeFile: async (file: string, content: string | Uint8Array) => {
      const temporary = path.join(path.dirname(file), `tmp_obj_${randomBytes(6).toString('hex')}`)
      await replaceFile(file, content, temporary)
    },
  },
}
