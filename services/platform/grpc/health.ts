import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect'
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../gen/grpc/health/v1/health_pb.ts'
import { type MountedService, mount } from '../service.ts'

/** The health of a server, per service and under '' for the whole; answers `grpc.health.v1`. */
export interface HealthState {
  readonly mounted: MountedService
  set(serviceName: string, serving: boolean): void
  /** Everything is NOT_SERVING from here on, whatever `set` says later. */
  stopServing(): void
  /** Ends the watches. */
  close(): void
}

const maxListed = 100

/** Starts with all of `serviceNames`, and '', serving. */
export function createHealth(serviceNames: readonly string[]): HealthState {
  const statuses = new Map<string, Status>(['', ...serviceNames].map((name) => [name, Status.SERVING]))
  const changes = new EventTarget()
  let stopped = false
  const closing = new AbortController()
  const changed = () => changes.dispatchEvent(new Event('change'))

  async function* watch(request: { service: string }, context: HandlerContext) {
    const signal = AbortSignal.any([context.signal, closing.signal])
    let told: Status | undefined
    while (!signal.aborted) {
      const status = statuses.get(request.service) ?? Status.SERVICE_UNKNOWN
      if (status === told) await once(changes, 'change', signal)
      else {
        told = status
        yield { status }
      }
    }
  }

  return {
    mounted: mount(Health, {
      check: (request) => ({ status: known(statuses, request.service) }),
      list: () => ({ statuses: listed(statuses) }),
      watch,
    }),
    set: (name, serving) => {
      statuses.set(name, serving && !stopped ? Status.SERVING : Status.NOT_SERVING)
      changed()
    },
    stopServing: () => {
      stopped = true
      for (const name of statuses.keys()) statuses.set(name, Status.NOT_SERVING)
      changed()
    },
    close: () => closing.abort(),
  }
}

function known(statuses: ReadonlyMap<string, Status>, service: string): Status {
  const status = statuses.get(service)
  if (status === undefined) throw new ConnectError(`there is no service ${service} here`, Code.NotFound)
  return status
}

function listed(statuses: ReadonlyMap<string, Status>): Record<string, { status: Status }> {
  if (statuses.size > maxListed) throw new ConnectError('too many services to list', Code.ResourceExhausted)
  return Object.fromEntries([...statuses].map(([name, status]) => [name, { status }]))
}

/** Resolves on the next event of that kind or when the signal aborts. */
function once(target: EventTarget, type: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      target.removeEventListener(type, done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    target.addEventListener(type, done)
    signal.addEventListener('abort', done)
  })
}
