import { type Obligation, obligationOf, shown, valueIn } from './obligation.ts'
import type { GateCondition, GatePlan, ScorePart } from './plan.ts'
import { all, any, numeral, type Script, sum, type Term, Unprovable } from './script.ts'

const maxDimensions = 50
const maxDepth = 20

/** More risk never turns a "no" into a "yes": what the gate accepts, it accepts with less of any dimension too. */
export function gateObligation(plan: GatePlan): Obligation {
  const name = `gate ${plan.name}`
  const statement = `what ${plan.name} accepts, it accepts with less of any risk too`
  return obligationOf({ property: 'risk gate', name, statement }, (script) => {
    if (plan.dimensions.length > maxDimensions)
      throw new Unprovable(`more than ${maxDimensions} dimensions of risk`)
    const lower = new Map(plan.dimensions.map((dimension) => [dimension, script.real(`lower ${dimension}`)]))
    const higher = new Map(
      plan.dimensions.map((dimension) => [dimension, script.real(`higher ${dimension}`)]),
    )
    for (const dimension of plan.dimensions)
      script.assert(`(<= ${lower.get(dimension)} ${higher.get(dimension)})`)
    script.assert(acceptance(script, plan.accepts, { terms: higher, side: 'higher', depth: 0 }))
    script.assert(`(not ${acceptance(script, plan.accepts, { terms: lower, side: 'lower', depth: 0 })})`)
    return (values) => {
      const moved = plan.dimensions.map((dimension) => {
        const [from, to] = [valueIn(values, `lower ${dimension}`), valueIn(values, `higher ${dimension}`)]
        return from === to
          ? `${dimension} ${shown(from)}`
          : `${dimension} from ${shown(from)} up to ${shown(to)}`
      })
      return `${plan.name} refuses the lower risk and accepts the higher one: ${moved.join(', ')}`
    }
  })
}

interface Side {
  readonly terms: ReadonlyMap<string, Term>
  readonly side: string
  readonly depth: number
}

function acceptance(script: Script, condition: GateCondition, at: Side): Term {
  if (at.depth > maxDepth) throw new Unprovable(`the gate's conditions are nested more than ${maxDepth} deep`)
  const below = { ...at, depth: at.depth + 1 }
  if ('all' in condition) return all(condition.all.map((part) => acceptance(script, part, below)))
  if ('any' in condition) return any(condition.any.map((part) => acceptance(script, part, below)))
  if ('not' in condition) return `(not ${acceptance(script, condition.not, below)})`
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
