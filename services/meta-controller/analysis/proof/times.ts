import {
  AnswerTimes,
  attemptsOf,
  type CallGraph,
  callGraphOf,
  edgeName,
  stagesOf,
  waitsOf,
} from './call-graph.ts'
import { type Obligation, obligationOf, shown, type Values, valueIn } from './obligation.ts'
import type { CallPlan, EntryPlan, MeshPlan } from './plan.ts'
import { any, numeral, type Script, type Term, times } from './script.ts'

/** The client of each entry with a deadline has its answer, or its error, within it: whatever fails and is tried again. */
export function deadlineObligations(plan: MeshPlan): Obligation[] {
  return plan.entries.flatMap((entry) => {
    const { service, deadlineMs } = entry
    return deadlineMs === undefined ? [] : [deadlineObligation(plan, { service, deadlineMs })]
  })
}

function deadlineObligation(
  plan: MeshPlan,
  entry: Required<Pick<EntryPlan, 'service' | 'deadlineMs'>>,
): Obligation {
  const { service, deadlineMs } = entry
  const name = `deadline of ${service}`
  const statement = `${service} answers within ${deadlineMs} ms`
  return obligationOf({ property: 'deadline', name, statement }, (script) => {
    const graph = callGraphOf(plan)
    const answer = new AnswerTimes(script, graph, { byContract: false }).of(service)
    script.assert(`(> ${answer} ${numeral(deadlineMs, name)})`)
    return (values) => {
      const took = valueIn(values, `answer of ${service}`)
      const parts = timeOf(graph, service, values)
      return `${service} answers after ${shown(took)} ms, its deadline is ${deadlineMs} ms: ${parts}`
    }
  })
}

/** Where the time of a service goes, in words. */
function timeOf(graph: CallGraph, service: string, values: Values): string {
  const unbounded = graph.services.get(service)?.workMs === undefined ? ' (nothing bounds it)' : ''
  const own = `own work ${shown(valueIn(values, `work of ${service}`))} ms${unbounded}`
  const calls = stagesOf(graph.callsOf.get(service) ?? []).flat()
  return [own, ...calls.map((edge) => callInWords(edge, values))].join(', ')
}

function callInWords(edge: CallPlan, values: Values): string {
  const attempts = attemptsOf(edge)
  const once = shown(valueIn(values, `try ${edgeName(edge)}`))
  const call = attempts === 1 ? once : shown(valueIn(values, `call ${edgeName(edge)}`))
  const tries = attempts === 1 ? '' : ` (up to ${attempts} tries of ${once} ms)`
  const several = (edge.calls ?? 1) === 1 ? '' : `${edge.calls} times `
  return `${several}${edge.to} ${call} ms${tries}`
}

/**
 * No caller gives up on a try while its callee may still be at work, each callee's own calls taken to use up their time-outs
 * (assume the contracts below, prove one's own): an inverted time-out wastes the callee's work and makes retries useless.
 */
export function inversionObligations(plan: MeshPlan): Obligation[] {
  let graph: CallGraph | undefined
  const graphOnce = () => (graph ??= callGraphOf(plan))
  return plan.edges
    .filter((edge) => edge.perTryTimeoutMs !== undefined || edge.timeoutMs !== undefined)
    .map((edge) => inversionObligation(graphOnce, edge))
}

function inversionObligation(graphOf: () => CallGraph, edge: CallPlan): Obligation {
  const name = `time-outs of ${edgeName(edge)}`
  const statement = `${edge.to} has answered before ${edge.from} gives up on any of its tries`
  return obligationOf({ property: 'timeout inversion', name, statement }, (script) => {
    const graph = graphOf()
    const answer = new AnswerTimes(script, graph, { byContract: true }).of(edge.to)
    const network = numeral(edge.networkMs ?? 0, `network of ${edgeName(edge)}`)
    const needed = script.real('last try')
    script.assert(`(= ${needed} (+ ${network} ${answer}))`)
    const start = startOfLastTry(script, edge, needed)
    script.assert(any(lateOf(edge, needed, start)))
    return (values) => inversionInWords(graph, edge, values)
  })
}

/** Bounds the start of the last try by what the tries before it and the waits take. */
function startOfLastTry(script: Script, edge: CallPlan, needed: Term): Term {
  const attempts = attemptsOf(edge)
  if (attempts === 1) return '0.0'
  const start = script.real('start of last try')
  const earlier = `${attempts - 1}.0`
  const waits = waitsOf(edge, attempts)
  script.assert(`(<= ${start} (+ ${times(earlier, needed)} ${waits}))`)
  const { perTryTimeoutMs, timeoutMs } = edge
  // What begins after the end of the call is no try.
  if (timeoutMs !== undefined)
    script.assert(`(<= ${start} ${numeral(timeoutMs, `time-out of ${edgeName(edge)}`)})`)
  if (perTryTimeoutMs !== undefined) {
    const limit = numeral(perTryTimeoutMs, `time-out of a try ${edgeName(edge)}`)
    script.assert(`(<= ${start} (+ ${times(earlier, limit)} ${waits}))`)
  }
  return start
}

function lateOf(edge: CallPlan, needed: Term, start: Term): Term[] {
  const { perTryTimeoutMs, timeoutMs } = edge
  const late: Term[] = []
  if (perTryTimeoutMs !== undefined)
    late.push(`(> ${needed} ${numeral(perTryTimeoutMs, `time-out of a try ${edgeName(edge)}`)})`)
  if (timeoutMs !== undefined)
    late.push(`(> (+ ${start} ${needed}) ${numeral(timeoutMs, `time-out of ${edgeName(edge)}`)})`)
  return late
}

function inversionInWords(graph: CallGraph, edge: CallPlan, values: Values): string {
  const needed = valueIn(values, 'last try')
  const start = valueIn(values, 'start of last try')
  const { perTryTimeoutMs, timeoutMs } = edge
  const parts = timeOf(graph, edge.to, values)
  if (perTryTimeoutMs !== undefined && needed > perTryTimeoutMs) {
    return `${edge.from} gives up on ${edge.to} after ${perTryTimeoutMs} ms, which may need ${shown(needed)} ms: ${parts}`
  }
  return `the time-out of ${timeoutMs} ms that ${edge.from} has for ${edge.to} ends during its last try, which starts after ${shown(start)} ms and may need ${shown(needed)} ms: ${parts}`
}
