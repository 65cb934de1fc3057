import { type Obligation, obligationOf, shown, valueIn } from './obligation.ts'
import type { MeshPlan, SchedulePlan } from './plan.ts'
import { all, any, numeral, type Script, type Term, Unprovable } from './script.ts'

const maxChanges = 100

type Change = SchedulePlan['changes'][number]

/**
 * However the starts fall within their bounds: no change is under way in a freeze, and no two at once where one's service is reached
 * from the other's, since the canary of one would be judged by the faults of the other.
 */
export function scheduleObligation(schedule: SchedulePlan, plan: Pick<MeshPlan, 'edges'>): Obligation {
  const name = 'schedule of the changes'
  const statement = 'no two changes that touch the same services are under way at once, and none in a freeze'
  return obligationOf({ property: 'schedule', name, statement }, (script) => {
    const { changes, freezes } = schedule
    if (changes.length > maxChanges)
      throw new Unprovable(`more than ${maxChanges} changes: prove fewer at once`)
    const times = new Map(changes.map((change) => [change.id, encodeChange(script, change)]))
    const rivals = rivalsAmong(changes, plan)
    const clashes = rivals.map(({ a, b }) => overlap(times.get(a.id), times.get(b.id)))
    const frozen = freezes.flatMap((freeze) => {
      const span = { start: numeral(freeze.fromS, freeze.name), end: numeral(freeze.untilS, freeze.name) }
      return changes.map((change) => overlap(times.get(change.id), span))
    })
    script.assert(any([...clashes, ...frozen]))
    return (values) => clashInWords(schedule, rivals, (id) => valueIn(values, `start of ${id}`))
  })
}

interface Span {
  readonly start: Term
  readonly end: Term
}

function encodeChange(script: Script, change: Change): Span {
  const { id, earliestStartS, latestStartS } = change
  // What follows from a contradiction is no proof.
  if (earliestStartS > latestStartS)
    throw new Unprovable(
      `${id} starts at ${earliestStartS} s at the earliest and ${latestStartS} s at the latest`,
    )
  const start = script.real(
    `start of ${change.id}`,
    numeral(change.latestStartS, `latest start of ${change.id}`),
  )
  script.assert(`(>= ${start} ${numeral(change.earliestStartS, `earliest start of ${change.id}`)})`)
  return { start, end: `(+ ${start} ${numeral(change.seconds, `length of ${change.id}`)})` }
}

function overlap(a: Span | undefined, b: Span | undefined): Term {
  return a === undefined || b === undefined
    ? 'false'
    : all([`(< ${a.start} ${b.end})`, `(< ${b.start} ${a.end})`])
}

interface Rivals {
  readonly a: Change
  readonly b: Change
}

/** Pairs of changes of which one's service reaches the other's, or both are of one service. */
function rivalsAmong(changes: readonly Change[], plan: Pick<MeshPlan, 'edges'>): Rivals[] {
  const cones = new Map(changes.map(({ id, service }) => [id, coneOf(service, plan)]))
  return changes.flatMap((a, index) =>
    changes
      .slice(index + 1)
      .filter((b) => cones.get(a.id)?.has(b.service) || cones.get(b.id)?.has(a.service))
      .map((b) => ({ a, b })),
  )
}

function coneOf(service: string, { edges }: Pick<MeshPlan, 'edges'>): ReadonlySet<string> {
  const cone = new Set([service])
  for (const name of cone) for (const { from, to } of edges) if (from === name) cone.add(to)
  return cone
}

function clashInWords(
  schedule: SchedulePlan,
  rivals: readonly Rivals[],
  startOf: (id: string) => number,
): string {
  const overlaps = (a: Change, from: number, until: number) =>
    startOf(a.id) < until && from < startOf(a.id) + a.seconds
  const clash = rivals.find(({ a, b }) => overlaps(a, startOf(b.id), startOf(b.id) + b.seconds))
  if (clash !== undefined) {
    const { a, b } = clash
    return `${a.id} of ${a.service} from second ${shown(startOf(a.id))} and ${b.id} of ${b.service} from second ${shown(startOf(b.id))} are under way at once and touch the same services`
  }
  for (const freeze of schedule.freezes) {
    const change = schedule.changes.find((each) => overlaps(each, freeze.fromS, freeze.untilS))
    if (change !== undefined)
      return `${change.id} starts at second ${shown(startOf(change.id))} and is under way in ${freeze.name}`
  }
  return 'two changes meet'
}
