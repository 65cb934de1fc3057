import {
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  getOption,
  hasOption,
  ScalarType,
} from '@bufbuild/protobuf'
import { http } from '../../gen/google/api/annotations_pb.ts'
import type { HttpRule } from '../../gen/google/api/http_pb.ts'

/** One way to call an RPC over HTTP, from its `google.api.http` option. */
export interface Route {
  readonly httpMethod: string
  /** The path as the contract writes it, such as `/governor/api/v1/approvals/{approval_id}/decision`. */
  readonly template: string
  readonly pattern: RegExp
  /** Fields that the path gives, in the order of the pattern's groups. */
  readonly variables: readonly string[]
  /** `*`: the body is the message. A name: the body is that field. Empty: the query holds the fields. */
  readonly body: string
  readonly rpc: DescMethodUnary
}

/** What a path leads to. `unknown-path`: a service has this prefix, but nothing at this path or by this method. */
export type Match =
  | { readonly kind: 'route'; readonly route: Route; readonly variables: ReadonlyMap<string, string> }
  | { readonly kind: 'unknown-path' }
  | { readonly kind: 'unknown-prefix' }

/** Errors: Error naming the RPC and what of its option cannot be served over REST. */
export function routesOf(services: readonly DescService[]): Route[] {
  return services.flatMap((service) => service.methods.flatMap(routesOfMethod))
}

/** Finds the first route, in the order of the contract, that the whole of a normalised path fits. */
export function matchRoute(routes: readonly Route[], httpMethod: string, path: string): Match {
  for (const route of routes) {
    const match = route.httpMethod === httpMethod ? route.pattern.exec(path) : null
    if (match === null) continue
    const variables = new Map(route.variables.map((name, index) => [name, match[index + 1] ?? '']))
    return { kind: 'route', route, variables }
  }
  const prefix = prefixOf(path)
  const isKnown = routes.some((route) => prefixOf(route.template) === prefix)
  return { kind: isKnown ? 'unknown-path' : 'unknown-prefix' }
}

/**
 * A path as Kong matches it: dot segments resolved, slashes merged, escapes of plain characters undone and no others.
 * `/a/./b//%63%20` becomes `/a/b/c%20`. Errors: TypeError when it is no path.
 */
export function normalisePath(target: string): string {
  const { pathname } = new URL(target.replace(/^\/+/, '/'), 'http://edge')
  const plain = pathname.replace(/%([2-7][0-9a-f])/gi, (whole, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[\w.~-]/.test(character) ? character : whole
  })
  return plain.replace(/\/{2,}/g, '/')
}

function prefixOf(path: string): string {
  return path.split('/', 2)[1] ?? ''
}

function routesOfMethod(method: DescMethod): Route[] {
  if (!hasOption(method, http)) return []
  const name = `${method.parent.typeName}/${method.name}`
  if (method.methodKind !== 'unary') throw new Error(`${name} is a stream and cannot have google.api.http`)
  for (const message of [method.input, method.output]) refuseBytes(message, name, new Set())
  const rule = getOption(method, http)
  return [rule, ...rule.additionalBindings].map((binding) =>
    routeOf(method as DescMethodUnary, binding, name),
  )
}

function routeOf(rpc: DescMethodUnary, rule: HttpRule, name: string): Route {
  const { case: httpMethod, value: template } = rule.pattern
  if (httpMethod === undefined || httpMethod === 'custom') {
    throw new Error(`google.api.http of ${name} must have get, post, put, patch or delete`)
  }
  const variables: string[] = []
  const pattern = template.replace(/\{(\w+)\}|[^{]+|\{/g, (part, variable: string | undefined) => {
    if (variable === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    const field = rpc.input.fields.find((candidate) => candidate.name === variable)
    if (field?.fieldKind !== 'scalar' && field?.fieldKind !== 'enum') {
      throw new Error(`the path variable {${variable}} of ${name} must be a plain field of ${rpc.input.name}`)
    }
    variables.push(variable)
    return '([^/]+)'
  })
  return {
    httpMethod: httpMethod.toUpperCase(),
    template,
    pattern: new RegExp(`^${pattern}$`),
    variables,
    body: rule.body,
    rpc,
  }
}

/** Kong's transcoder writes bytes raw, which is not JSON; so no message that REST carries may have them. */
function refuseBytes(message: DescMessage, rpc: string, seen: Set<DescMessage>): void {
  if (seen.has(message)) return
  seen.add(message)
  for (const field of message.fields) {
    const hasBytes =
      (field.fieldKind === 'scalar' || field.fieldKind === 'list') && field.scalar === ScalarType.BYTES
    if (hasBytes)
      throw new Error(`${rpc} is called over REST, so ${message.typeName}.${field.name} cannot be bytes`)
    if (field.message !== undefined) refuseBytes(field.message, rpc, seen)
  }
}
