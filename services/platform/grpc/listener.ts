import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

/** A port and the connections on it. States: made, listening, stopped (no new connections), closed. */
export class Listener {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(accept: (socket: Socket) => void) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      accept(socket)
    })
  }

  /** Opens `host:port`, where port 0 takes a free one, and gives the port. Errors: the address cannot be had. */
  async listen(address: string): Promise<number> {
    const colon = address.lastIndexOf(':')
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
    const port = Number(address.slice(colon + 1))
    if (colon < 1 || !Number.isInteger(port))
      throw new Error(`cannot listen on ${address}: it is not host:port`)
    try {
      this.#server.listen({ host, port })
      await once(this.#server, 'listening')
    } catch (error) {
      throw new Error(`cannot listen on ${address}: ${(error as Error).message}`, { cause: error })
    }
    const bound = this.#server.address()
    return typeof bound === 'object' && bound !== null ? bound.port : port
  }

  /** Takes no new connections; resolves when the open ones have ended. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
