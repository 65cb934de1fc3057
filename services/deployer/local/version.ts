import { createServer } from 'node:net'
import path from 'node:path'
import type { Clock } from '../../platform/clock.ts'
import type { Manifest } from '../../platform/target/manifest.ts'
import type { Backend } from '../splitter/control.ts'
import type { Exit, Guard, GuardedProcess } from './guard.ts'
import { untilReady } from './readiness.ts'

export const readyTimeoutMs = 15_000
/** A version that is told to end may finish its calls for so long. */
export const stopGraceMs = 5_000
const hashLength = 10
/** A port that was free a moment ago may be taken by the time the version opens it. */
const maxPortAttempts = 3

/** A version could not be started; the message says what it did and shows the end of its output. */
export class VersionError extends Error {
  override readonly name = 'VersionError'
}

/** A commit of a target as a running process that has answered its health check. */
export interface RunningVersion extends Backend {
  readonly commit: string
  readonly ended: Promise<Exit>
  stop(): Promise<void>
}

export interface VersionOptions {
  readonly guard: Guard
  readonly clock: Clock
  readonly commit: string
  readonly folder: string
  readonly manifest: Manifest
  /** Put over the manifest's environment. */
  readonly targetEnvironment: Readonly<Record<string, string>>
  /** Where programs are found; the Node that NEXUS runs on comes first. */
  readonly path: string | undefined
  readonly outputFile: string
  readonly signal: AbortSignal
}

/** The label that tells a version's requests from another's; as Argo's pod template hash, it is short. */
export function versionOf(commit: string): string {
  return commit.slice(0, hashLength)
}

/** Starts a version and waits until it is ready. Errors: VersionError; the signal's reason. */
export async function startVersion(options: VersionOptions): Promise<RunningVersion> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(await freePort(), options)
    } catch (error) {
      const isPortTaken = error instanceof VersionError && error.message.includes('EADDRINUSE')
      if (!isPortTaken || attempt >= maxPortAttempts) throw error
    }
  }
}

async function startOn(port: number, options: VersionOptions): Promise<RunningVersion> {
  const { commit, manifest } = options
  const started = options.guard.start({
    argv: manifest.commands.start,
    folder: options.folder,
    environment: environmentOf(options, port),
    outputFile: options.outputFile,
  })
  try {
    await ready(started, port, options)
  } catch (error) {
    await started.stop(0)
    throw error
  }
  return {
    commit,
    version: versionOf(commit),
    port,
    ended: started.ended,
    stop: () => started.stop(stopGraceMs),
  }
}

async function ready(started: GuardedProcess, port: number, options: VersionOptions): Promise<void> {
  const { commit, manifest, clock } = options
  const gone = new AbortController()
  const signal = AbortSignal.any([options.signal, gone.signal])
  const words = `${manifest.commands.start.join(' ')} of commit ${versionOf(commit)}`
  void started.ended.then((exit) => gone.abort(new VersionError(`${words} ${describeExit(exit)}`)))
  const { health } = manifest.services[0]!
  const problem = await untilReady({ port, health, timeoutMs: readyTimeoutMs, clock, signal })
  if (problem === undefined) return
  throw new VersionError(
    `${words} is not ready after ${readyTimeoutMs / 1000} s: ${problem}; its output is in ${options.outputFile}`,
  )
}

/** In words. Example: `ended with code 1: Error: Cannot find module`. */
export function describeExit({ code, signal, outputTail }: Exit): string {
  const how = signal === null ? `ended with code ${code}` : `ended by ${signal}`
  return outputTail === '' ? `${how} and printed nothing` : `${how}: ${outputTail}`
}

function environmentOf(options: VersionOptions, port: number): Record<string, string> {
  const { manifest, folder } = options
  return {
    ...manifest.environment,
    ...options.targetEnvironment,
    PATH: [path.dirname(process.execPath), options.path ?? '/usr/local/bin:/usr/bin:/bin'].join(
      path.delimiter,
    ),
    HOME: folder,
    [manifest.services[0]!.portEnv]: String(port),
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
