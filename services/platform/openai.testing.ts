import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Test support: what the server was sent. */
export interface SeenRequest {
  readonly path: string
  readonly authorization: string
  readonly body: Record<string, unknown>
  /** Resolves when the client has given the request up. */
  readonly abandoned: Promise<void>
}

/** Test support: how the server treats one request. */
export type Behaviour = (response: ServerResponse, seen: SeenRequest) => void

/** Test support: an OpenAI-compatible server that behaves, and misbehaves, as told: each request takes the next behaviour, the last one stays. */
export interface FakeProvider {
  readonly url: string
  readonly seen: SeenRequest[]
  behave(...behaviours: Behaviour[]): void
}

interface Hooks {
  after(hook: () => void | Promise<void>): void
}

export async function startProvider(t: Hooks): Promise<FakeProvider> {
  const seen: SeenRequest[] = []
  let script: Behaviour[] = []
  const server = createServer(async (request, response) => {
    const arrived = await readRequest(request, response)
    seen.push(arrived)
    const behaviour = script.length > 1 ? script.shift() : script[0]
    behaviour?.(response, arrived)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const behave = (...behaviours: Behaviour[]) => {
    script = behaviours
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  return { url, seen, behave }
}

async function readRequest(request: IncomingMessage, response: ServerResponse): Promise<SeenRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const abandoned = new Promise<void>((resolve) => {
    response.on('close', () => !response.writableFinished && resolve())
  })
  const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>
  return { path: request.url ?? '', authorization: request.headers.authorization ?? '', body, abandoned }
}

/** Test support: sends a JSON body. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Behaviour {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
}

/** Test support: a completion as OpenAI sends it. `usage: null`: the server does not tell. */
export function completion(
  text: string,
  options: { finishReason?: string; usage?: [input: number, output: number] | null; refusal?: string } = {},
): Behaviour {
  const { finishReason = 'stop', usage = [10, 5], refusal } = options
  return json({
    id: 'cmpl-1',
    object: 'chat.completion',
    model: 'the-model-2026',
    choices: [
      {
        index: 0,
        finish_reason: finishReason,
        message: { role: 'assistant', content: refusal ? null : text, refusal },
      },
    ],
    usage: usage && {
      prompt_tokens: usage[0],
      completion_tokens: usage[1],
      total_tokens: usage[0] + usage[1],
    },
  })
}

/** Test support: an error as OpenAI sends it. Its message repeats what it was sent, as some servers do. */
export function failure(
  status: number,
  options: { code?: string; headers?: Record<string, string> } = {},
): Behaviour {
  return (response, seen) => {
    const message = `no: ${seen.authorization} ${JSON.stringify(seen.body)}`
    const error = { message, type: 'some_error', code: options.code ?? null }
    json({ error }, status, options.headers)(response, seen)
  }
}

/** Test support: sends raw text. */
export function raw(body: string, contentType: string, status = 200): Behaviour {
  return (response) => {
    response.writeHead(status, { 'content-type': contentType })
    response.end(body)
  }
}

/** Test support: never answers. */
export const hang: Behaviour = () => undefined

/** Test support: begins to answer and closes the connection. */
export const cutBody: Behaviour = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
  response.write('{"choices":[')
  setImmediate(() => response.destroy())
}

/** Test support: begins to answer and says no more. */
export const stallBody: Behaviour = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.write('{"choices":[')
}

/** Test support: a stream of server-sent events, and how it ends: whole, cut, closed without a last piece, or in silence. */
export function streaming(
  texts: readonly string[],
  options: { end?: 'whole' | 'cut' | 'unfinished' | 'silent'; usage?: [number, number] | null } = {},
): Behaviour {
  const { end = 'whole', usage = [10, 5] } = options
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const send = (data: object) => response.write(`data: ${JSON.stringify(data)}\n\n`)
    for (const content of texts) send({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })
    if (end === 'silent') return
    if (end === 'cut') return void setImmediate(() => response.destroy())
    if (end === 'whole') {
      send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
      if (usage) send({ choices: [], usage: { prompt_tokens: usage[0], completion_tokens: usage[1] } })
      response.write('data: [DONE]\n\n')
    }
    response.end()
  }
}
