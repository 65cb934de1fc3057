import ts from 'typescript'
import type { TargetProgram } from '../program/program.ts'
import type { Span } from '../program/spans.ts'
import { digits } from '../program/style.ts'
import { bare, isConstant, symbolOf } from '../program/symbols.ts'
import { type AbortableCall, hasTimeout } from './calls.ts'

/** What is to be done to a call: an edit, nothing since it ends in time already, or nothing since it cannot be seen what it does. */
export type TimeoutEdit =
  | { readonly kind: 'edit'; readonly span: Span }
  | { readonly kind: 'already' }
  | { readonly kind: 'unclear'; readonly reason: string }

/** How a call gets its time-out. A signal that it has stays in force: the first of the two ends the call. */
export function timeoutEdit(target: TargetProgram, call: AbortableCall, timeoutMs: number): TimeoutEdit {
  const { node, optionsAt } = call
  const given = node.arguments
  const timeout = `AbortSignal.timeout(${digits(timeoutMs)})`
  if (given.some(ts.isSpreadElement)) return unclear('its arguments are spread')
  const options = given[optionsAt]
  if (call.isFetch && !options && mayBeRequest(target, given[0])) {
    return unclear('what it asks for may be a Request with a signal of its own')
  }
  if (!options) return appended(node, optionsAt, timeout)
  const literal = bare(options)
  if (ts.isObjectLiteralExpression(literal)) return intoLiteral(target, literal, timeout)
  if (literal.getText() === 'undefined') return edit(options, `{ signal: ${timeout} }`)
  const plain = plainLiteralOf(target, literal)
  if (!plain) return unclear(`it cannot be seen whether ${literal.getText()} has a signal`)
  const inside = intoLiteral(target, plain, timeout)
  if (inside.kind === 'already' || inside.kind === 'unclear') return inside
  const signal = propertyOf(plain, 'signal')
  return signal
    ? unclear(`${literal.getText()} has a signal, and others may use it`)
    : edit(options, `{ ...${literal.getText()}, signal: ${timeout} }`)
}

function appended(node: ts.CallExpression, optionsAt: number, timeout: string): TimeoutEdit {
  const given = node.arguments
  const missing = Array.from({ length: optionsAt - given.length }, () => 'undefined')
  const added = [...missing, `{ signal: ${timeout} }`].join(', ')
  const last = given.at(-1)
  if (!last) {
    const at = node.end - 1
    return { kind: 'edit', span: { start: at, end: at, text: added } }
  }
  return { kind: 'edit', span: { start: last.end, end: last.end, text: `, ${added}` } }
}

function intoLiteral(
  target: TargetProgram,
  literal: ts.ObjectLiteralExpression,
  timeout: string,
): TimeoutEdit {
  const signal = propertyOf(literal, 'signal')
  const spread = literal.properties.findLast((each) => ts.isSpreadAssignment(each) || isComputed(each))
  if (spread && (!signal || spread.pos > signal.pos)) {
    return unclear(`it cannot be seen whether ${spread.getText()} has a signal`)
  }
  if (!signal) return addedProperty(literal, `signal: ${timeout}`)
  if (ts.isShorthandPropertyAssignment(signal)) {
    if (hasTimeout(target, signal.name)) return { kind: 'already' }
    return combined(target, signal, signal.name, timeout, true)
  }
  if (!ts.isPropertyAssignment(signal)) return unclear(`its signal is a ${ts.SyntaxKind[signal.kind]}`)
  if (hasTimeout(target, signal.initializer)) return { kind: 'already' }
  return combined(target, signal.initializer, signal.initializer, timeout, false)
}

/** The signal that is there and the time-out together, where the one that is there is surely a signal. */
function combined(
  { checker }: TargetProgram,
  place: ts.Node,
  signal: ts.Expression,
  timeout: string,
  isShorthand: boolean,
): TimeoutEdit {
  const type = checker.getTypeAtLocation(signal)
  const both = `AbortSignal.any([${signal.getText()}, ${timeout}])`
  const text =
    checker.getNonNullableType(type) === type && !(type.flags & ts.TypeFlags.Any) ? both : undefined
  if (type.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Null))
    return edit(place, isShorthand ? `signal: ${timeout}` : timeout)
  if (!text && !ts.isIdentifier(bare(signal)) && !ts.isPropertyAccessExpression(bare(signal))) {
    return unclear(`its signal ${signal.getText()} may be missing`)
  }
  const value = text ?? `${signal.getText()} ? ${both} : ${timeout}`
  return edit(place, isShorthand ? `signal: ${value}` : value)
}

function addedProperty(literal: ts.ObjectLiteralExpression, property: string): TimeoutEdit {
  const last = literal.properties.at(-1)
  if (!last) return edit(literal, `{ ${property} }`)
  const file = literal.getSourceFile()
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line
  const isOnLines = lineOf(last.getStart(file)) !== lineOf(literal.getStart(file))
  const start = last.getStart(file)
  const lineStart = file.text.lastIndexOf('\n', start - 1) + 1
  const newline = file.text.includes('\r\n') ? '\r\n' : '\n'
  const indent = /^[ \t]*/.exec(file.text.slice(lineStart, start))?.[0] ?? ''
  const before = isOnLines ? `,${newline}${indent}` : ', '
  return { kind: 'edit', span: { start: last.end, end: last.end, text: before + property } }
}

/** The object that a constant of the same file holds, where it is written in full. */
function plainLiteralOf(
  { checker }: TargetProgram,
  node: ts.Expression,
): ts.ObjectLiteralExpression | undefined {
  const declaration = ts.isIdentifier(node) ? symbolOf(checker, node)?.valueDeclaration : undefined
  if (!declaration || !ts.isVariableDeclaration(declaration) || !isConstant(declaration)) return undefined
  const value = declaration.initializer && bare(declaration.initializer)
  return value && ts.isObjectLiteralExpression(value) ? value : undefined
}

function propertyOf(
  literal: ts.ObjectLiteralExpression,
  name: string,
): ts.ObjectLiteralElementLike | undefined {
  return literal.properties.find(
    (each) => each.name !== undefined && !isComputed(each) && nameOf(each) === name,
  )
}

function nameOf({ name }: ts.ObjectLiteralElementLike): string | undefined {
  return name && (ts.isIdentifier(name) || ts.isStringLiteral(name)) ? name.text : undefined
}

function isComputed({ name }: ts.ObjectLiteralElementLike): boolean {
  return name !== undefined && ts.isComputedPropertyName(name)
}

/** The signal of a Request is replaced by one in the options, so a time-out there would take the other out of force. */
function mayBeRequest({ checker }: TargetProgram, input: ts.Expression | undefined): boolean {
  if (!input) return false
  const type = checker.getTypeAtLocation(input)
  const types = type.isUnion() ? type.types : [type]
  return types.some(
    (each) =>
      (each.flags & ts.TypeFlags.Any) !== 0 || checker.getPropertyOfType(each, 'signal') !== undefined,
  )
}

function edit(node: ts.Node, text: string): TimeoutEdit {
  return { kind: 'edit', span: { start: node.getStart(), end: node.end, text } }
}

function unclear(reason: string): TimeoutEdit {
  return { kind: 'unclear', reason }
}
