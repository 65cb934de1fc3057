import { type Obligation, obligationOf, type Values, valueIn } from './obligation.ts'
import type { AccessPlan } from './plan.ts'
import { all, any, type Script, type Term, Unprovable, wholeNumeral } from './script.ts'

const maxNodes = 100

/** No way leads from the ingress to a protected service but through the gateway, even with so many rules too many. */
export function accessObligations(plan: AccessPlan): Obligation[] {
  return plan.protected.map((service) => accessObligation(plan, service))
}

function accessObligation(plan: AccessPlan, service: string): Obligation {
  const { ingress, gateway, tolerates = 0 } = plan
  const name = `no way to ${service} around ${gateway}`
  const added = tolerates === 0 ? '' : `, even when ${tolerates} rules are wrongly added`
  const statement = `every way from ${ingress} to ${service} goes through ${gateway}${added}`
  return obligationOf({ property: 'policy bypass', name, statement }, (script) => {
    const ways = waysAround(plan, service)
    encodeWalk(script, plan, service, ways)
    return (values) => wayInWords(plan, service, ways, values)
  })
}

/** A step that might be taken: which layers would have to be opened for it. */
interface Way {
  readonly from: string
  readonly to: string
  readonly closedIn: readonly string[]
}

function waysAround(plan: AccessPlan, service: string): Way[] {
  const { ingress, gateway, layers, tolerates = 0 } = plan
  if (layers.length === 0) throw new Unprovable('no layer says who may call whom: everything is open')
  const rules = layers.map(({ name, allows }) => ({
    name,
    open: new Set(allows.map(({ from, to }) => pair(from, to))),
  }))
  const named = layers.flatMap(({ allows }) => allows.flatMap(({ from, to }) => [from, to]))
  const nodes = [...new Set([ingress, service, ...plan.protected, ...named])].filter(
    (node) => node !== gateway,
  )
  if (nodes.length > maxNodes)
    throw new Unprovable(`more than ${maxNodes} services: prove it in smaller parts`)
  return nodes.flatMap((from) =>
    nodes.flatMap((to) => {
      if (from === to || to === ingress) return []
      const closedIn = rules.filter(({ open }) => !open.has(pair(from, to))).map(({ name }) => name)
      return closedIn.length > tolerates ? [] : [{ from, to, closedIn }]
    }),
  )
}

function pair(from: string, to: string): string {
  return JSON.stringify([from, to])
}

/**
 * A walk is services that are reached, each by a step from one that is nearer to the ingress; the wrong rules that its steps take add up
 * along it. It comes to no service twice, so no rule is counted twice.
 */
function encodeWalk(script: Script, plan: AccessPlan, service: string, ways: readonly Way[]): void {
  const { ingress, tolerates = 0 } = plan
  const nodes = [...new Set([ingress, service, ...ways.flatMap(({ from, to }) => [from, to])])]
  const steps = new Map(nodes.map((node) => [node, script.real(`steps to ${node}`)]))
  const wrong = new Map(nodes.map((node) => [node, script.real(`wrong rules to ${node}`)]))
  const reached = new Map(nodes.map((node) => [node, script.truth(`reached ${node}`)]))
  const arrivals = Map.groupBy(ways, ({ to }) => to)
  for (const node of nodes) {
    if (node === ingress) continue
    const taken = (arrivals.get(node) ?? []).map((way) => {
      const step = script.truth(stepName(way))
      const nearer = `(<= (+ 1.0 ${steps.get(way.from)}) ${steps.get(node)})`
      const more = `(<= (+ ${way.closedIn.length}.0 ${wrong.get(way.from)}) ${wrong.get(node)})`
      script.assert(`(=> ${step} ${all([reached.get(way.from) as Term, nearer, more])})`)
      return step
    })
    script.assert(`(=> ${reached.get(node)} ${any(taken)})`)
  }
  script.assert(`(<= ${wrong.get(service)} ${wholeNumeral(tolerates, 'rules wrongly added')}.0)`)
  script.assert(reached.get(service) as Term)
}

function stepName({ from, to }: Way): string {
  return `step ${from} → ${to}`
}

function ruleName({ from, to }: Way, layer: string): string {
  return `rule ${from} → ${to} in ${layer}`
}

function wayInWords(plan: AccessPlan, service: string, ways: readonly Way[], values: Values): string {
  const path = [service]
  const added: string[] = []
  for (let at = service; at !== plan.ingress && path.length <= maxNodes; ) {
    const way = ways.find((each) => each.to === at && valueIn(values, stepName(each)) === 1)
    if (way === undefined) break
    added.push(...way.closedIn.map((layer) => ruleName(way, layer)))
    path.unshift(way.from)
    at = way.from
  }
  const tolerated = added.length === 0 ? '' : ` once there is one wrong ${added.join(' and ')}`
  return `${path.join(' → ')} goes around ${plan.gateway}${tolerated}`
}
