import ts from 'typescript'
import { z } from 'zod'
import { type RecipeInput, type RecipeOutcome, refuse, refuseParameters } from '../outcome.ts'
import { lineOf, openProgram, pathOf, placeOf, type TargetProgram } from '../program/program.ts'
import { changeFile } from '../program/spans.ts'
import { outlivesCall } from './answers.ts'
import { type AbortableCall, awaitedCalls } from './calls.ts'
import { type Deadline, deriveDeadline } from './deadline.ts'
import { timeoutEdit } from './edit.ts'

export const addTimeoutId = 'add_timeout@1'

const maxTold = 5

const parametersSchema = z.strictObject({
  timeout_ms: z.number().int().min(1).max(600_000).optional(),
})

/** Gives the one awaited call that nothing ends an AbortSignal that does. */
export function addTimeout(input: RecipeInput): RecipeOutcome {
  const parameters = parametersSchema.safeParse(input.parameters)
  if (!parameters.success) return refuseParameters('add_timeout', parameters.error.issues)
  const target = openProgram(input)
  const { abortable, others } = awaitedCalls(target)
  if (abortable.length === 0) return refuse(nothingToEnd(others))
  const open = abortable.filter((call) => timeoutEdit(target, call, 1).kind !== 'already')
  if (open.length === 0) return refuse(`already timed: ${namesOf(target, abortable)} has a time-out`)
  const [call, ...more] = open as [AbortableCall, ...AbortableCall[]]
  if (more.length > 0) {
    return refuse(
      `several calls lack a time-out, so that it is not clear which is meant: ${namesOf(target, open)}`,
    )
  }
  const { timeout_ms: timeoutMs } = parameters.data
  const deadline =
    timeoutMs === undefined
      ? deriveDeadline(target, call.node, input.benchmark)
      : { timeoutMs, reason: 'as the parameter timeout_ms says' }
  if (!deadline)
    return refuse(
      'without a benchmark it cannot be known how long is too long: give the parameter timeout_ms',
    )
  return change(target, call, deadline)
}

function change(target: TargetProgram, call: AbortableCall, deadline: Deadline): RecipeOutcome {
  const name = enclosingName(call.node)
  const where = `${call.callee} in ${name} (${placeOf(target, call.node)})`
  const outlives = call.isFetch ? outlivesCall(target, call.node) : undefined
  if (outlives) return refuse(`${where}: ${outlives}, and a time-out would cut it while it flows`)
  const edit = timeoutEdit(target, call, deadline.timeoutMs)
  if (edit.kind === 'unclear') return refuse(`${where}: ${edit.reason}`)
  if (edit.kind === 'already') return refuse(`already timed: ${where} has a time-out`)
  const file = call.node.getSourceFile()
  return {
    kind: 'change',
    files: [changeFile(target.folder, pathOf(target, file), file.text, [edit.span])],
    summary: `End ${call.callee} in ${name} after ${deadline.timeoutMs} ms: ${deadline.reason}.`,
    authorDetail: addTimeoutId,
    place: { path: pathOf(target, file), line: lineOf(call.node), name },
    profileShare: 0,
  }
}

function nothingToEnd(others: readonly string[]): string {
  if (others.length === 0) return 'the sources wait for nothing that a time-out could end'
  return `no awaited call takes an AbortSignal to end it: ${others.slice(0, maxTold).join(', ')}`
}

function namesOf(target: TargetProgram, calls: readonly AbortableCall[]): string {
  const names = calls.map(
    ({ node, callee }) => `${callee} in ${enclosingName(node)} (${placeOf(target, node)})`,
  )
  const more = names.length > maxTold ? `, and ${names.length - maxTold} more` : ''
  return names.slice(0, maxTold).join(', ') + more
}

/** The name of the innermost function around a node that has one. */
function enclosingName(node: ts.Node): string {
  for (let at = node; at && !ts.isSourceFile(at); at = at.parent) {
    if (ts.isFunctionDeclaration(at) && at.name) return at.name.text
    if (ts.isMethodDeclaration(at)) return at.name.getText()
    if (ts.isVariableDeclaration(at) && holdsFunction(at)) return at.name.getText()
  }
  return 'the module'
}

function holdsFunction({ initializer }: ts.VariableDeclaration): boolean {
  return (
    initializer !== undefined && (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer))
  )
}
