import { Agent, request } from 'node:http'

/** A `fetch` for GET requests that goes to a UNIX socket, so that the benchmark needs no network. It minds an abort signal as the real one does. */
export function fetchFromSocket(socketPath: string): typeof fetch {
  const agent = new Agent({ keepAlive: true })
  return (input, init) => {
    const { pathname, search } = new URL(String(input))
    return new Promise((resolve, reject) => {
      const question = request({ agent, socketPath, path: pathname + search }, (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part: Buffer) => parts.push(part))
        answer.on('end', () => resolve(new Response(Buffer.concat(parts), { status: answer.statusCode })))
      })
      const abort = () => question.destroy(init?.signal?.reason)
      init?.signal?.addEventListener('abort', abort)
      question.on('close', () => init?.signal?.removeEventListener('abort', abort))
      question.on('error', (error) => {
        reject(init?.signal?.aborted ? init.signal.reason : new TypeError('fetch failed', { cause: error }))
      })
      question.end()
    })
  }
}
