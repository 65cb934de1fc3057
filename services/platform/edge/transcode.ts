import { create, type Message } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import { FieldError, readMessage, readText } from './json-in.ts'
import type { Route } from './routes.ts'

/** The parts of an HTTP request that a message is made of. */
export interface RequestParts {
  readonly variables: ReadonlyMap<string, string>
  readonly query: URLSearchParams
  readonly body: string
}

const maxQueryParameters = 100

/**
 * Makes the RPC's request of an HTTP request. A field in the path has the last word: in Kong the body or the query would
 * override it, and a path that names one thing would act on another. Errors: FieldError; its field is empty for the body as a whole.
 */
export function requestOf(route: Route, parts: RequestParts): Message {
  const desc = route.rpc.input
  const message = route.body === '' ? create(desc) : readMessage(desc, fromBody(route, parts.body))
  const target = reflect(desc, message)
  if (route.body === '') readQuery(target, parts.query)
  for (const [name, text] of parts.variables) {
    const field = desc.fields.find((candidate) => candidate.name === name)
    if (field) readText(target, field, [text], name)
  }
  return message
}

function fromBody(route: Route, body: string): unknown {
  if (body.trim() === '') return {}
  const json = parse(body)
  if (route.body !== '*') return { [route.body]: json }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json
  throw new FieldError('', 'the body must be a JSON object')
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (error) {
    throw new FieldError('', `the body is not JSON: ${(error as Error).message}`)
  }
}

/** Names that the message does not have are ignored; `inner.name` reaches into a message. */
function readQuery(root: ReturnType<typeof reflect>, query: URLSearchParams): void {
  const names = new Set(query.keys())
  if (names.size > maxQueryParameters)
    throw new FieldError('', `the query has more than ${maxQueryParameters} names`)
  for (const name of names) {
    let target = root
    const path = name.split('.')
    const last = path.pop()
    for (const step of path) {
      const inner = target.fields.find((field) => field.name === step)
      if (inner?.fieldKind !== 'message') break
      const value = target.get(inner)
      target.set(inner, value)
      target = value
    }
    const field = target.fields.find((candidate) => candidate.name === last)
    const isReached = path.length === 0 || target !== root
    if (field && isReached) readText(target, field, query.getAll(name), name)
  }
}
