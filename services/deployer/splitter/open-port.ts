import type { Server } from 'node:net'

/** Opens a port on loopback, 0 takes a free one, and gives it. May be called again after a failure. Errors: as `Server.listen`, by their `code`. */
export function openPort(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      server.off('error', onError)
      server.off('listening', onListening)
      finish()
    }
    const onError = (error: Error) => settle(() => reject(error))
    const onListening = () => {
      const address = server.address()
      const opened = typeof address === 'object' && address !== null ? address.port : port
      settle(() => resolve(opened))
    }
    server.on('error', onError)
    server.on('listening', onListening)
    server.listen(port, '127.0.0.1')
  })
}
