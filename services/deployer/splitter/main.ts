import { createServer } from 'node:http'
import type { SplitterReport, SplitterRequest, SplitterSettings } from './control.ts'
import { openPort } from './open-port.ts'
import { GrpcProxy } from './proxy.ts'
import { Telemetry } from './telemetry.ts'

// The data plane of one target, in a process of its own, so that requests do not wait for the deployer's other work. It lives as
// long as the channel to the deployer: also after `kill -9` of the deployer, both ports are free again.

/** The splitter of a deployer that was killed a moment ago may still hold the port. */
const takeOverMs = 1_500
const retryMs = 50
const endMs = 500

const settings = JSON.parse(process.argv[2] ?? '') as SplitterSettings
const telemetry = new Telemetry(settings.service)
const proxy = new GrpcProxy({ telemetry, random: Math.random })
const metrics = createServer((request, response) => {
  const isMetrics = request.url === '/metrics'
  response.writeHead(isMetrics ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4' })
  response.end(isMetrics ? telemetry.text() : 'the metrics are at /metrics\n')
})

process.on('message', (request: SplitterRequest) => answer(request))
process.once('disconnect', end)
// Ctrl-C goes to the whole group; the deployer ends this process when it has no more use for it.
process.on('SIGINT', () => undefined)
process.once('SIGTERM', () => process.disconnect?.())

const port = await opened('traffic', () => proxy.listen(settings.port))
const metricsPort = port && (await opened('metrics', () => openPort(metrics, settings.metricsPort)))
if (port && metricsPort) report({ kind: 'listening', port, metricsPort })

function answer(request: SplitterRequest): void {
  if (request.kind === 'read') report({ kind: 'counts', id: request.id, counts: telemetry.counts() })
  else {
    proxy.route(request.routing)
    report({ kind: 'routed', id: request.id })
  }
}

function report(message: SplitterReport): void {
  if (process.connected) process.send?.(message, () => undefined)
}

/** The port, or undefined when it cannot be had, which is reported. */
async function opened(
  use: 'traffic' | 'metrics',
  listen: () => Promise<number>,
): Promise<number | undefined> {
  const lastMs = performance.now() + takeOverMs
  for (;;) {
    try {
      return await listen()
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message
      if (code !== 'EADDRINUSE' || performance.now() >= lastMs || !process.connected) {
        report({ kind: 'failed', use, code })
        return undefined
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs))
    }
  }
}

function end(): void {
  proxy.close()
  metrics.close()
  metrics.closeAllConnections()
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), endMs).unref()
}
