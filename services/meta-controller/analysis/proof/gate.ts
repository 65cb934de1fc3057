import { type Obligation, obligationOf, shown, type Values, valueIn } from './obligation.ts'
import type { GateCondition, GatePlan, ScorePart } from './plan.ts'
import { all, any, numeral, sum, type Term, Unprovable } from './script.ts'

const maxDimensions = 50
const maxDepth = 20

/**
 * More risk never turns a "no" into a "yes": what the gate accepts, it accepts with less of any dimension too. It is enough to raise one
 * dimension at a time, since one comes from any risk to any larger one by such steps.
 */
export function gateObligation(plan: GatePlan): Obligation {
  const name = `gate ${plan.name}`
  const statement = `what ${plan.name} accepts, it accepts with less of any risk too`
  return obligationOf({ property: 'risk gate', name, statement }, (script) => {
    const { dimensions, accepts } = plan
    if (dimensions.length > maxDimensions)
      throw new Unprovable(`more than ${maxDimensions} dimensions of risk`)
    const risk = new Map(dimensions.map((dimension) => [dimension, script.real(dimension)]))
    const [raised, to] = [script.real(raisedName), script.real(raisedToName)]
    script.assert(`(not ${acceptance(accepts, { terms: risk, depth: 0 })})`)
    const ways = dimensions.map((dimension, index) => {
      const accepted = acceptance(accepts, { terms: new Map(risk).set(dimension, to), depth: 0 })
      return all([`(= ${raised} ${index}.0)`, `(> ${to} ${risk.get(dimension)})`, accepted])
    })
    script.assert(any(ways))
    return (values) => raisedInWords(plan, values)
  })
}

/** Which dimension is raised, by its number, and to what. */
const raisedName = 'raised dimension'
const raisedToName = 'raised to'

function raisedInWords({ name, dimensions }: GatePlan, values: Values): string {
  const raised = dimensions[valueIn(values, raisedName)] ?? ''
  const [from, to] = [shown(valueIn(values, raised)), shown(valueIn(values, raisedToName))]
  const others = dimensions
    .filter((dimension) => dimension !== raised)
    .map((dimension) => `${dimension} ${shown(valueIn(values, dimension))}`)
  const beside = others.length === 0 ? '' : `, with ${others.join(', ')}`
  return `${name} refuses ${raised} ${from} and accepts ${raised} ${to}${beside}`
}

interface Side {
  readonly terms: ReadonlyMap<string, Term>
  readonly depth: number
}

function acceptance(condition: GateCondition, at: Side): Term {
  if (at.depth > maxDepth) throw new Unprovable(`the gate's conditions are nested more than ${maxDepth} deep`)
  const below = { ...at, depth: at.depth + 1 }
  if ('all' in condition) return all(condition.all.map((part) => acceptance(part, below)))
  if ('any' in condition) return any(condition.any.map((part) => acceptance(part, below)))
  if ('not' in condition) return `(not ${acceptance(condition.not, below)})`
  if ('score' in condition) {
    const points = sum(condition.score.map((part) => pointsOf(part, dimensionOf(at, part.dimension))))
    return `(<= ${points} ${signed(condition.atMost, 'the most points')})`
  }
  const term = dimensionOf(at, condition.dimension)
  if ('atMost' in condition)
    return `(<= ${term} ${numeral(condition.atMost, `limit of ${condition.dimension}`)})`
  return `(>= ${term} ${numeral(condition.atLeast, `limit of ${condition.dimension}`)})`
}

function dimensionOf({ terms }: Side, dimension: string): Term {
  const term = terms.get(dimension)
  if (term === undefined) throw new Unprovable(`${dimension} is not among the dimensions of risk`)
  return term
}

/** Linear interpolation between the given points, as nested choices. */
function pointsOf({ dimension, points }: ScorePart, risk: Term): Term {
  const [first] = points
  if (first === undefined) throw new Unprovable(`the score of ${dimension} has no points`)
  const last = points.at(-1) ?? first
  let term = signed(last[1], `points of ${dimension}`)
  for (let index = points.length - 2; index >= 0; index--) {
    const [from, to] = [points[index] ?? first, points[index + 1] ?? last]
    if (!(to[0] > from[0])) throw new Unprovable(`the points of ${dimension} are not in rising order`)
    const start = numeral(from[0], `risk of ${dimension}`)
    const end = numeral(to[0], `risk of ${dimension}`)
    const [low, high] = [signed(from[1], `points of ${dimension}`), signed(to[1], `points of ${dimension}`)]
    const slope = `(/ (- ${high} ${low}) (- ${end} ${start}))`
    term = `(ite (< ${risk} ${end}) (+ ${low} (* ${slope} (- ${risk} ${start}))) ${term})`
  }
  return `(ite (< ${risk} ${numeral(first[0], `risk of ${dimension}`)}) ${signed(first[1], `points of ${dimension}`)} ${term})`
}

/** Points may be negative. */
function signed(value: number, what: string): Term {
  return value < 0 ? `(- ${numeral(-value, what)})` : numeral(value, what)
}
