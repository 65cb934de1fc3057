import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { endProgram, findProgram, startProgram } from './programs.testing.ts'
import { connectRedis, untilReady } from './redis.ts'
import { freePorts } from './testing.ts'

const startTimeoutMs = 10_000

/** The redis-server to test with; undefined where there is none. */
export const redisProgram = findProgram('redis-server', 'NEXUS_TEST_REDIS')

/** For `skip`: why the tests that need Redis do not run, or false when they do. */
export const withoutRedis = redisProgram
  ? false
  : 'redis-server is not on PATH: install it, or set NEXUS_TEST_REDIS to its path'

/** A Redis of a test's own: on a free port, with its data in a temporary folder. */
export interface TestRedis {
  readonly url: string
  readonly folder: string
  start(): Promise<void>
  /** SIGTERM lets it write what it has, SIGKILL does not. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** SIGSTOP: it keeps its connections and answers nothing. */
  freeze(): void
  thaw(): void
  close(): Promise<void>
}

/** Starts it. `settings` are options of redis-server; by default each answer is on disk before it is given. */
export async function startTestRedis(
  settings: Readonly<Record<string, string>> = { appendonly: 'yes', appendfsync: 'always' },
): Promise<TestRedis> {
  const [port] = await freePorts(1)
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-redis-'))
  const url = `redis://127.0.0.1:${port}`
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  for (const [name, value] of Object.entries(settings)) args.push(`--${name}`, value)
  let child: ChildProcess | undefined
  const start = async () => {
    child = startProgram(redisProgram ?? 'redis-server', args)
    await untilServing(url)
  }
  const stop = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child) await endProgram(child, signal)
  }
  await start()
  return {
    url,
    folder,
    start,
    stop,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    close: async () => {
      await stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function untilServing(url: string): Promise<void> {
  const redis = connectRedis(url, { operationTimeoutMs: 1_000, onConnectionError: () => {} })
  try {
    await untilReady(redis, startTimeoutMs)
  } finally {
    redis.disconnect()
  }
}
