import { Code, ConnectError, type Transport } from '@connectrpc/connect'
import type { Tracer } from '@opentelemetry/api'
import type { Environment } from './embedded.ts'
import { createGrpcTransport, type GrpcTransport } from './platform/grpc/channel.ts'
import type { ServiceName } from './platform/service.ts'
import { SettingsError } from './platform/settings.ts'

/** The channels of a process to its peers: one for each address, and one for the services of the process itself. */
export interface Transports {
  /** Errors: SettingsError when the peer runs elsewhere and its address is not set. */
  readonly to: (peer: ServiceName) => Transport
  /** To the services of this process. Until the port is known, calls fail with `unavailable`. */
  readonly own: Transport
  readonly setOwnPort: (port: number) => void
  readonly close: () => void
}

/** `NEXUS_CODE_MODIFIER_ADDRESS` for code-modifier. */
export function addressVariable(peer: ServiceName): string {
  return `NEXUS_${peer.toUpperCase().replaceAll('-', '_')}_ADDRESS`
}

export function createTransports(
  here: readonly ServiceName[],
  options: {
    readonly env: Environment
    readonly maxMessageBytes: number
    readonly tracer: Tracer | undefined
  },
): Transports {
  const { env, tracer, maxMessageBytes } = options
  const open = new Map<string, GrpcTransport>()
  const toAddress = (address: string) => {
    const transport = open.get(address) ?? createGrpcTransport({ address, tracer, maxMessageBytes })
    open.set(address, transport)
    return transport
  }
  let ownAddress: string | undefined
  const opened = () => {
    if (ownAddress !== undefined) return toAddress(ownAddress)
    throw new ConnectError('this process is still starting', Code.Unavailable)
  }
  const own: Transport = {
    unary: async (...call) => opened().unary(...call),
    stream: async (...call) => opened().stream(...call),
  }
  return {
    to: (peer) => {
      if (here.includes(peer)) return own
      const address = env[addressVariable(peer)]
      if (address) return toAddress(address)
      throw new SettingsError(`${addressVariable(peer)} is not set: host:port of the service ${peer}`)
    },
    own,
    setOwnPort: (port) => {
      ownAddress = `127.0.0.1:${port}`
    },
    close: () => {
      for (const transport of open.values()) transport.close()
    },
  }
}
