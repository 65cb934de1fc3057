import type { MessageInitShape } from '@bufbuild/protobuf'
import type { DocumentSchema } from '../gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import type { Effect } from './analysis/effect.ts'
import type { Ending, ObjectiveState } from './objective.ts'
import type { StageContext } from './stage.ts'

/** How a turn ended; `given_up`: its intervention cannot be made here, and another turn begins without it. */
export interface TurnEnd {
  readonly ending: Ending | 'given_up'
  readonly reason: string
}

const rememberTimeoutMs = 10_000
/** Of a line of the record; the journal has all of it. */
const maxLineChars = 1_500
const maxTitleChars = 200
const maxCauses = 3
/** The source of what the loop writes begins with this. */
export const recordSource = 'nexus:objective/'

/**
 * Writes what a turn came to into the knowledge graph, under an id of its own, so that telling it twice is telling it once. The
 * graph serves people and later turns; the journal has the truth already. So a retriever that is away delays an ending by its
 * time-out and no more. Errors: the signal's reason when it aborts.
 */
export async function remember(
  state: ObjectiveState,
  end: TurnEnd,
  { peers, signal, report }: Pick<StageContext, 'peers' | 'signal' | 'report'>,
): Promise<void> {
  try {
    const documents = [recordOf(state, end)]
    await peers.knowledge.putDocuments({ documents }, { signal, timeoutMs: rememberTimeoutMs })
  } catch (error) {
    signal.throwIfAborted()
    report(`the knowledge graph could not be told: ${(error as Error).message}`)
  }
}

/** Pure: the record of a turn as people read it, what became of it and why first: the document `objective/<id>/<turn>`. */
export function recordOf(state: ObjectiveState, end: TurnEnd): MessageInitShape<typeof DocumentSchema> {
  const { id, turn, wish } = state
  const lines = [
    outcomeLine(state, end),
    ...changeLines(state),
    ...foundLines(state),
    ...consideredLines(state),
    purposeLine(state),
  ]
  return {
    id: `objective/${id}/${turn}`,
    title: `${subjectOf(state)} on ${wish.target}: ${end.ending.replace('_', ' ')}`.slice(0, maxTitleChars),
    // Each a paragraph, so that none is taken for the end of another.
    text: lines.map((line) => line.slice(0, maxLineChars)).join('\n\n'),
    source: `${recordSource}${id}`,
  }
}

/** What the turn was about: the intervention, or the goal where none was chosen. */
function subjectOf({ wish, results }: ObjectiveState): string {
  const chosen = results.decide?.intervention ?? 'none'
  if (chosen !== 'none') return chosen
  return wish.intervention === '' ? wish.goal : `${wish.intervention} to ${wish.goal}`
}

const outcomeWords: Record<TurnEnd['ending'], string> = {
  promoted: 'promoted',
  proposed: 'left on its branch',
  declined: 'declined',
  refused: 'refused by policy',
  aborted: 'aborted by the canary and reverted',
  inconclusive: 'reverted for want of evidence',
  failed: 'ended by a failure',
  canceled: 'canceled',
  given_up: 'given up, as the change could not be made',
}

function outcomeLine(state: ObjectiveState, { ending, reason }: TurnEnd): string {
  const { deploy, commit } = state.results
  const revertedWords =
    ending === 'failed' && deploy?.ending === 'failed' ? 'reverted, as it could not be tried' : undefined
  const words = revertedWords ?? outcomeWords[ending]
  const unchanged = commit === undefined ? ' and nothing was changed' : ''
  return `What became of ${subjectOf(state)} on ${state.wish.target}: it was ${words}${unchanged}, because ${sentence(reason)}`
}

function changeLines({ wish, results }: ObjectiveState): string[] {
  const { decide, propose, authorize, learn } = results
  if (decide === undefined || decide.intervention === 'none') return []
  const lines: string[] = []
  if (propose !== undefined)
    lines.push(`The change ${propose.id} was: ${sentence(propose.summary || 'not made')}`)
  const why = propose === undefined ? 'Why it was chosen' : 'Why it was changed'
  lines.push(`${why}: ${sentence(decide.reasons.join('; '))}`)
  if (authorize !== undefined)
    lines.push(`What was expected of ${wish.targetMetric}: ${sentence(wordsOfEffect(authorize.effect))}`)
  if (learn !== undefined && learn.measured !== null)
    lines.push(
      `What the canary measured of ${wish.targetMetric}: ${shown(learn.canaryValue)} against ${shown(learn.stableValue)} on stable (${percent(learn.measured)}).`,
    )
  return lines
}

function foundLines({ results }: ObjectiveState): string[] {
  const { orient } = results
  if (orient === undefined) return []
  const found = [...orient.anomalies, ...orient.rootCauses.slice(0, maxCauses), ...orient.changes]
  const told = found.map(({ remark }) => remark).join('; ')
  return [`What was found: ${sentence(told || orient.notEnough || orient.remark || 'nothing unusual')}`]
}

function consideredLines({ excluded, results }: ObjectiveState): string[] {
  const lines = (results.decide?.options ?? []).map(
    ({ intervention, effect, reason }) =>
      `What was considered: ${intervention}, expected ${wordsOfEffect(effect)}; ${sentence(reason)}`,
  )
  const earlier = Object.entries(excluded).map(([intervention, reason]) => `${intervention} (${reason})`)
  return earlier.length === 0
    ? lines
    : [...lines, `What earlier turns gave up: ${sentence(earlier.join('; '))}`]
}

function purposeLine({ id, turn, wish, results }: ObjectiveState): string {
  const { propose, commit } = results
  const base = propose === undefined ? '' : `, on base ${propose.baseCommit}`
  const made = commit === undefined ? '' : `, commit ${commit.commit}`
  return `It served objective ${id}, ${wish.goal} by ${wish.targetMetric}, in turn ${turn}${base}${made}.`
}

function wordsOfEffect({ estimate, low, high, origin, observations }: Effect): string {
  if (origin === 'none') return 'unknown, as it was never tried here'
  const by =
    origin === 'benchmark'
      ? 'the benchmark'
      : observations === 1
        ? 'one earlier canary'
        : `${observations} earlier canaries`
  return `${percent(estimate)} (${percent(low)} to ${percent(high)}) by ${by}`
}

function percent(change: number): string {
  return `${change > 0 ? '+' : ''}${Math.round(change * 100)} %`
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function sentence(words: string): string {
  return /[.!?]$/.test(words) ? words : `${words}.`
}
