import ts from 'typescript'
import { isTestOnly, lineOf, nodesOf, type Project, type Source, type Violation } from './project.ts'

const declaredIn = 'services/calls.json'

/** Who calls whom, as services/calls.json declares it; `gateway` is what stands before the services: Kong or the embedded edge. */
export type Calls = Readonly<Record<string, readonly string[]>>

interface Call {
  readonly from: string
  readonly to: string
  readonly path: string
  readonly line: number
}

/** The declared calls are the calls made, and they have no cycle. */
export function callsAsDeclared(project: Project): Violation[] {
  const declared = JSON.parse(project.texts.get(declaredIn) ?? '{}') as Calls
  const { calls, faults } = callsOf(project)
  const made = [...calls, ...gatewayCalls(project)]
  const undeclared = made
    .filter(({ from, to }) => !declared[from]?.includes(to))
    .map(({ from, to, path, line }) => ({
      path,
      line,
      remedy: `${from} calls ${to}, which ${declaredIn} does not declare: declare it there, or do without`,
    }))
  const idle = Object.entries(declared).flatMap(([from, tos]) =>
    tos
      .filter((to) => !made.some((call) => call.from === from && call.to === to))
      .map((to) => at(`${from} does not call ${to}: take it out, the mesh would allow what nobody needs`)),
  )
  return [...faults, ...undeclared, ...idle, ...cycleOf(declared)]
}

function at(remedy: string): Violation {
  return { path: declaredIn, line: 1, remedy }
}

/** Each `transport('peer')` in a service, and what cannot be read off as one. */
function callsOf({ sources }: Project): { calls: Call[]; faults: Violation[] } {
  const calls: Call[] = []
  const faults: Violation[] = []
  for (const source of sources.filter(({ path }) => !isTestOnly(path))) {
    const [, from = '', inside] = source.path.split('/')
    if (!source.path.startsWith('services/') || inside === undefined || from === 'platform') continue
    for (const node of nodesOf(source.tree)) {
      if (!isTransportCall(node)) continue
      const [peer] = node.arguments
      const line = lineOf(source, node)
      if (peer && ts.isStringLiteral(peer)) calls.push({ from, to: peer.text, path: source.path, line })
      else
        faults.push({
          path: source.path,
          line,
          remedy: 'name the peer in place, so that the call can be read off the code',
        })
      const wrong = wrongClient(source, node, peer)
      if (wrong) faults.push(wrong)
    }
  }
  return { calls, faults }
}

function isTransportCall(node: ts.Node): node is ts.CallExpression {
  if (!ts.isCallExpression(node)) return false
  const { expression } = node
  return ts.isPropertyAccessExpression(expression)
    ? expression.name.text === 'transport'
    : ts.isIdentifier(expression) && expression.text === 'transport'
}

/** `createClient(GovernorService, transport('deployer'))` would fail only when it is called. */
function wrongClient(
  source: Source,
  node: ts.CallExpression,
  peer: ts.Node | undefined,
): Violation | undefined {
  const { parent } = node
  if (!ts.isCallExpression(parent) || parent.expression.getText() !== 'createClient') return undefined
  const service = parent.arguments[0]?.getText() ?? ''
  const name = service
    .replace(/Service$/, '')
    .replace(/(?<=.)([A-Z])/g, '-$1')
    .toLowerCase()
  if (!peer || !ts.isStringLiteral(peer) || peer.text === name) return undefined
  return {
    path: source.path,
    line: lineOf(source, node),
    remedy: `${service} is served by ${name}, not by ${peer.text}: one of the two names is wrong`,
  }
}

/** The gateway calls every service that has an RPC with a public path. */
function gatewayCalls({ texts }: Project): Call[] {
  const calls: Call[] = []
  for (const [path, text] of texts) {
    const [, folder] = /^proto\/nexus\/(\w+)\/v1\//.exec(path) ?? []
    const line = text.split('\n').findIndex((each) => each.includes('option (google.api.http)')) + 1
    if (folder && line > 0) calls.push({ from: 'gateway', to: folder.replaceAll('_', '-'), path, line })
  }
  return calls
}

function cycleOf(declared: Calls): Violation[] {
  const visit = (name: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name]
    for (const next of declared[name] ?? []) {
      const cycle = visit(next, [...trail, name])
      if (cycle) return cycle
    }
    return undefined
  }
  for (const name of Object.keys(declared)) {
    const cycle = visit(name, [])
    if (cycle) return [at(`the calls go round: ${cycle.join(' → ')}; progress goes back as a server stream`)]
  }
  return []
}
