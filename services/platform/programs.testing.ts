import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import path from 'node:path'

/**
 * Where a program is: the path in `variable` if it is set, else on PATH; undefined when it is not there. Errors: Error
 * when the variable names no program, as whoever set it wants the tests to run.
 */
export function findProgram(name: string, variable: string): string | undefined {
  const wanted = process.env[variable]
  if (wanted) {
    if (isExecutable(wanted)) return wanted
    throw new Error(`${variable}=${wanted} is not a program that can be run`)
  }
  const folders = (process.env.PATH ?? '').split(path.delimiter)
  return folders.map((folder) => path.join(folder, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Starts a program without our environment and without a terminal. */
export function startProgram(file: string, args: readonly string[]): ChildProcess {
  return spawn(file, args, { stdio: 'ignore', env: { PATH: process.env.PATH } })
}

/** Sends `signal` and waits for the end. */
export async function endProgram(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGCONT')
  child.kill(signal)
  await ended
}
