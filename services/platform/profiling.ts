import { Session } from 'node:inspector/promises'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'

/** Kinds of profile, as Chrome's developer tools and speedscope open them: `.cpuprofile` and `.heapprofile`. */
export type ProfileKind = 'cpu' | 'heap'

const maxProfileSeconds = 60
const cpuSamplingMicroseconds = 1000
const heapSamplingBytes = 64 * 1024

let running = false

/**
 * Profiles this process for `seconds` (1 to 60): where its time went, or what it allocated and still holds. Gives JSON.
 * Errors: `invalid_argument` for the seconds, `resource_exhausted` while another profile runs, the signal's reason.
 */
export async function takeProfile(
  kind: ProfileKind,
  options: { seconds: number; clock: Clock; signal?: AbortSignal },
): Promise<string> {
  const { seconds, clock, signal } = options
  if (!(seconds >= 1 && seconds <= maxProfileSeconds)) {
    throw new ConnectError(`seconds: must be from 1 to ${maxProfileSeconds}`, Code.InvalidArgument)
  }
  if (running) throw new ConnectError('another profile is being taken', Code.ResourceExhausted)
  running = true
  const session = new Session()
  session.connect()
  try {
    const wait = () => clock.sleep(seconds * 1000, signal)
    return JSON.stringify(await (kind === 'cpu' ? profileCpu(session, wait) : profileHeap(session, wait)))
  } finally {
    session.disconnect()
    running = false
  }
}

async function profileCpu(session: Session, wait: () => Promise<void>): Promise<object> {
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: cpuSamplingMicroseconds })
  await session.post('Profiler.start')
  await wait()
  const { profile } = await session.post('Profiler.stop')
  return profile
}

async function profileHeap(session: Session, wait: () => Promise<void>): Promise<object> {
  await session.post('HeapProfiler.startSampling', { samplingInterval: heapSamplingBytes })
  await wait()
  const { profile } = await session.post('HeapProfiler.stopSampling')
  return profile
}

/** Sends profiles to Pyroscope all the time, when there is a URL; its native module is loaded only then. */
export async function openPyroscope(options: {
  url: string | undefined
  serviceName: string
  log: Log
}): Promise<{ close(): Promise<void> }> {
  const { url, serviceName, log } = options
  if (url === undefined) return { close: async () => {} }
  const { default: pyroscope } = await import('@pyroscope/nodejs')
  pyroscope.init({ serverAddress: url, appName: serviceName, wall: { collectCpuTime: true } })
  pyroscope.start()
  log.info('pyroscope_started', { url })
  return { close: () => pyroscope.stop() }
}
