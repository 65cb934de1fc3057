import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const sqliteBusy = 5

/** The data folder cannot be used: another process has it, or it cannot be written. The message names the folder and the remedy. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError'
}

/** A folder that is this process's own until `close()`, or until the process ends in whatever way. */
export interface DataFolder {
  readonly path: string
  close(): void
}

/**
 * Creates the folder if need be and locks it for this process. The lock is one that the kernel holds (SQLite's on the file
 * `lock`), so `kill -9` releases it and nothing is left to clean up. Errors: DataFolderError.
 * Nothing else in the process may open the file `lock`: closing any descriptor of a file drops the process's locks on it.
 */
export function lockDataFolder(folder: string): DataFolder {
  const absolute = path.resolve(folder)
  makeWritable(absolute)
  const database = openLock(absolute)
  writeFileSync(ownerFile(absolute), String(process.pid))
  return {
    path: absolute,
    close: () => {
      if (database.isOpen) database.close()
    },
  }
}

function makeWritable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw unwritable(folder, error)
  }
}

function openLock(folder: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path.join(folder, 'lock'), { timeout: 0 })
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database?.close()
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === sqliteBusy) throw inUse(folder, error)
    throw unwritable(folder, error)
  }
}

function inUse(folder: string, cause: unknown): DataFolderError {
  return new DataFolderError(
    `the data folder ${folder} is in use by another NEXUS (process ${readOwner(folder)}): stop that one, or give this one a folder of its own with NEXUS_DATA`,
    { cause },
  )
}

function unwritable(folder: string, cause: unknown): DataFolderError {
  return new DataFolderError(
    `the data folder ${folder} cannot be written (${(cause as Error).message}): make it writable, or name another with NEXUS_DATA`,
    { cause },
  )
}

function readOwner(folder: string): string {
  try {
    return readFileSync(ownerFile(folder), 'utf8')
  } catch {
    return 'unknown'
  }
}

/** Only for the message to the second instance; the lock does not depend on it. */
function ownerFile(folder: string): string {
  return path.join(folder, 'owner')
}
