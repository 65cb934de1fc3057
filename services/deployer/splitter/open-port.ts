import type { Server } from 'node:net'

/** Opens a port on loopback; 0 takes a free one. May be called again after a failure. Errors: as `Server.listen`, by their `code`. */
export function openPort(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      server.off('error', onError)
      server.off('listening', onListening)
      finish()
    }
    const onError = (error: Error) => settle(() => reject(error))
    const onListening = () => settle(resolve)
    server.on('error', onError)
    server.on('listening', onListening)
    server.listen(port, '127.0.0.1')
  })
}
