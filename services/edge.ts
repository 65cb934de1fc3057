import type { Environment } from './embedded.ts'
import { systemClock } from './platform/clock.ts'
import { openConsumers } from './platform/edge/consumers.ts'
import { createEdge } from './platform/edge/edge.ts'
import { edgeSettings } from './platform/edge/settings.ts'
import type { Log } from './platform/log.ts'
import type { Life } from './platform/process.ts'
import { readSettings } from './platform/settings.ts'
import { listen, type Served } from './serve.ts'

/** How long REST calls at work may take to finish when the process ends. */
const graceMs = 500

export interface OpenedEdge {
  readonly restPort: number
  readonly adminPort: number
}

/** Opens the REST API and its admin port over the services of this process: what Kong does in the mesh. Errors: PortError, SettingsError. */
export async function openEdge(options: {
  readonly served: Served
  readonly env: Environment
  readonly log: Log
  readonly life: Life
}): Promise<OpenedEdge> {
  const { served, env, log, life } = options
  const { restAddress, adminAddress, ...limits } = readSettings(edgeSettings, env)
  const consumers = openConsumers(env.NEXUS_DATA ?? '', systemClock)
  life.closers.add('consumers', () => consumers.close())
  const edge = createEdge({
    services: served.mounted.map((one) => one.descriptor),
    transport: served.transport,
    consumers,
    limits,
    log,
    registry: served.registry,
    clock: systemClock,
  })
  life.closers.add('edge', () => edge.close(graceMs))
  const restPort = await listen('NEXUS_REST_ADDRESS', restAddress, () => edge.listen(restAddress))
  const adminPort = await listen('NEXUS_ADMIN_ADDRESS', adminAddress, () => edge.listenAdmin(adminAddress))
  return { restPort, adminPort }
}
