import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { startTestNeo4j, withoutNeo4j } from '../services/knowledge-retriever/neo4j.testing.ts'
import type { Bench } from './main.ts'
import type { Measures } from './memory/child.ts'

// What 100,000 passages cost: made-up documents (bench/memory/documents.ts) in an embedded store, in a start from its snapshot,
// and in questions; and what a Neo4j takes in. Each is measured in a process of its own.

const childTimeoutMs = 10 * 60_000
/** Without a limit V8 lets garbage lie while the machine has memory, and the figure would tell of the machine. */
const heapMb = 1_024
type Print = (line: string) => void
type Figures = Record<string, number>

export const run: Bench = async (print) => ({ ...(await embedded(print)), ...(await inNeo4j(print)) })

async function embedded(print: Print): Promise<Figures> {
  print(`each in a process of its own, with a heap of at most ${heapMb} MB`)
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-bench-memory-'))
  try {
    const stored = await measured('store', folder)
    print(
      `stored in SQLite: ${whole(stored.perSecond)} passages a second of processor time, ${whole(stored.wallS)} s in all, ${whole(stored.rssMb)} MB at most; ` +
        `snapshot in ${tenths(stored.snapshotS)} s, nobody else waiting longer than ${whole(stored.longestPauseMs)} ms`,
    )
    const started = await measured('start', folder)
    print(
      `started from the snapshot: ${started.passages} passages in ${tenths(started.wallS)} s (processor ${tenths(started.cpuS)} s), ${started.readAgain} documents read again, ` +
        `${whole(started.rssMb)} MB at most; questions ${tenths(started.queryMsP50)} ms (p50), ${tenths(started.queryMsP95)} ms (p95) of processor time`,
    )
    return {
      ingest_100k_per_s: whole(stored.perSecond),
      rss_100k_mb: whole(Math.max(stored.rssMb, started.rssMb)),
      snapshot_100k_s: tenths(stored.snapshotS),
      pause_100k_ms_max: whole(stored.longestPauseMs),
      start_100k_s: tenths(started.wallS),
      start_100k_cpu_s: tenths(started.cpuS),
      query_100k_ms_p95: tenths(started.queryMsP95),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Without a Neo4j there is no figure: the message says how to get one. */
async function inNeo4j(print: Print): Promise<Figures> {
  if (withoutNeo4j !== false) {
    print(`left out: ${withoutNeo4j}`)
    return {}
  }
  const server = await startTestNeo4j()
  try {
    const stored = await measured('neo4j', server.url)
    print(
      `stored in Neo4j: ${whole(stored.perSecond)} passages a second by the clock, on processors that the server shares with us (ours ${tenths(stored.cpuS)} s of ${tenths(stored.wallS)} s)`,
    )
    return { neo4j_ingest_per_s: whole(stored.perSecond) }
  } finally {
    await server.close()
  }
}

/** Measures in a child process. Errors: that of the child, with what it said. */
async function measured<Name extends keyof Measures>(what: Name, where: string): Promise<Measures[Name]> {
  const script = path.join(import.meta.dirname, 'memory', 'child.ts')
  const flags = ['--disable-warning=ExperimentalWarning', `--max-old-space-size=${heapMb}`]
  const words = [...flags, script, what, where]
  const { stdout } = await promisify(execFile)(process.execPath, words, { timeout: childTimeoutMs })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

function whole(value: number): number {
  return Math.round(value)
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}
