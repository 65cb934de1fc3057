import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { eventually } from '../eventually.testing.ts'
import { endProgram, findProgram, startProgram } from '../programs.testing.ts'
import { freePorts } from '../testing.ts'

/** The Prometheus to test with; undefined where there is none. */
export const prometheusProgram = findProgram('prometheus', 'NEXUS_TEST_PROMETHEUS')

/** For `skip`: why the tests that need Prometheus do not run, or false when they do. */
export const withoutPrometheus = prometheusProgram
  ? false
  : 'prometheus is not on PATH: install it, or set NEXUS_TEST_PROMETHEUS to its path'

export interface TestPrometheus {
  readonly url: string
  close(): Promise<void>
}

/** Starts a Prometheus on a free port that scrapes the targets (`host:port`). */
export async function startTestPrometheus(
  targets: readonly string[],
  intervalMs: number,
): Promise<TestPrometheus> {
  const [port] = await freePorts(1)
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-prometheus-'))
  const config = {
    global: { scrape_interval: `${intervalMs}ms`, scrape_timeout: `${intervalMs}ms` },
    scrape_configs: [{ job_name: 'test', static_configs: [{ targets }] }],
  }
  writeFileSync(path.join(folder, 'prometheus.yml'), JSON.stringify(config))
  const child = startProgram(prometheusProgram ?? 'prometheus', [
    `--config.file=${path.join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${path.join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ])
  const url = `http://127.0.0.1:${port}`
  await eventually(
    'Prometheus is ready',
    () =>
      fetch(`${url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    30_000,
  )
  return {
    url,
    close: async () => {
      await endProgram(child, 'SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
