import type { IncomingMessage } from 'node:http'

/** A body is larger than it may be. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError'
}

/** A body is not UTF-8, or it ended before it was complete. */
export class BodyUnreadableError extends Error {
  override readonly name = 'BodyUnreadableError'
}

/** How long a client that sends too much may go on, so that it gets to read the reply before the connection is cut. */
const lingerMs = 1000

/** Whether the request says of itself that its body is too large. */
export function announcesTooMuch(request: IncomingMessage, maxBytes: number): boolean {
  return Number(request.headers['content-length'] ?? 0) > maxBytes
}

/** Reads a body as text. Errors: BodyTooLargeError as soon as there is a byte too much; BodyUnreadableError. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    // Stopping early must not destroy the socket: the reply goes over it.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += chunk.length
      if (size > maxBytes) throw new BodyTooLargeError(`the body is larger than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof BodyTooLargeError) throw error
    throw new BodyUnreadableError('the body ended before it was complete', { cause: error })
  }
  return decode(Buffer.concat(chunks))
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch (error) {
    throw new BodyUnreadableError('the body is not UTF-8', { cause: error })
  }
}

/** Reads on and throws away what a client still sends, for a bounded time, then cuts the connection. */
export function discardRest(request: IncomingMessage): void {
  request.resume()
  const cut = setTimeout(() => request.socket.destroy(), lingerMs)
  request.once('close', () => clearTimeout(cut))
}
