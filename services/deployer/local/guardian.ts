import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { GuardianReport, GuardianRequest } from './guardian-messages.ts'
import { OutputFile } from './output-file.ts'

// Starts the versions for the deployer and outlives it by a moment: when the channel to the deployer closes, also by `kill -9`, it
// ends every process group that it started and then itself. So no version is ever left without someone who would end it.

/** Ctrl-C has to end everything within two seconds. */
const graceMs = 700

interface Guarded {
  readonly child: ChildProcess
  readonly output: OutputFile
}

const running = new Map<number, Guarded>()

process.on('message', (request: GuardianRequest) => {
  if (request.kind === 'start') start(request)
  else stop(request.id, request.graceMs)
})
process.once('disconnect', endAll)
// The deployer decides; a signal to a whole session is for it to act on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

function start({ id, argv, folder, environment, outputFile }: GuardianRequest & { kind: 'start' }): void {
  mkdirSync(path.dirname(outputFile), { recursive: true })
  const output = new OutputFile(outputFile)
  const [program, ...args] = argv
  const child = spawn(program!, args, {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // The leader of a group of its own, so that all that it starts can be ended with it.
    detached: true,
  })
  running.set(id, { child, output })
  child.stdout.on('data', (chunk: Buffer) => output.write(chunk))
  child.stderr.on('data', (chunk: Buffer) => output.write(chunk))
  child.once('error', (error) =>
    output.write(Buffer.from(`${program} cannot be started: ${error.message}\n`)),
  )
  child.once('exit', () => signalGroup(child, 'SIGKILL'))
  child.once('close', (code, signal) => {
    running.delete(id)
    report({ kind: 'exited', id, code, signal, outputTail: output.tail() })
    output.close()
  })
  if (child.pid !== undefined) report({ kind: 'started', id, pid: child.pid })
}

function stop(id: number, withinMs: number): void {
  const guarded = running.get(id)
  if (!guarded) return
  signalGroup(guarded.child, 'SIGTERM')
  const kill = setTimeout(() => signalGroup(guarded.child, 'SIGKILL'), withinMs)
  guarded.child.once('close', () => clearTimeout(kill))
}

function endAll(): void {
  for (const id of running.keys()) stop(id, graceMs)
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function report(message: GuardianReport): void {
  if (process.connected) process.send?.(message, () => undefined)
}
