import { once } from 'node:events'
import {
  type Code,
  ConnectError,
  createClient,
  type HandlerContext,
  type ServiceImpl,
} from '@connectrpc/connect'
import { EchoService } from '../../gen/nexus/echo/v1/echo_service_pb.ts'
import { mount } from '../service.ts'
import { keepingLog, startTestServer } from '../testing.ts'
import { echo } from './echo.testing.ts'
import type { GrpcLimits } from './limits.ts'

export type EchoImpl = ServiceImpl<typeof EchoService>

/** An echo server with some methods of its own, and a client; both end with the test. */
export async function serveEcho(
  t: { after(fn: () => Promise<void>): void },
  own: Partial<EchoImpl>,
  limits?: Partial<GrpcLimits>,
) {
  const { log, lines } = keepingLog()
  const mounted = mount(EchoService, { ...(echo.implementation as unknown as EchoImpl), ...own })
  const server = await startTestServer([mounted], { log, limits })
  t.after(server.close)
  return { ...server, lines, client: createClient(EchoService, server.transport) }
}

export async function* texts(...all: string[]) {
  for (const text of all) yield { text }
}

/** A handler that waits until its signal aborts, and tells how it ended. */
export function waiting() {
  const entered = Promise.withResolvers<HandlerContext>()
  const aborted = Promise.withResolvers<unknown>()
  const echo: EchoImpl['echo'] = async (_request, context) => {
    entered.resolve(context)
    if (!context.signal.aborted) await once(context.signal, 'abort')
    aborted.resolve(context.signal.reason)
    throw context.signal.reason
  }
  return { echo, entered: entered.promise, aborted: aborted.promise }
}

export function codeOf(work: Promise<unknown>): Promise<Code | 'ok'> {
  return work.then(
    () => 'ok' as const,
    (error) => ConnectError.from(error).code,
  )
}
