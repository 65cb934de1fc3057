import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { pathToString } from '@bufbuild/protobuf/reflect'
import { createValidator, type Violation, violationsToProto } from '@bufbuild/protovalidate'
import { Code, ConnectError } from '@connectrpc/connect'

const maxViolationsNamed = 5

// One per process: it compiles the rules of a message on first sight and keeps them.
const validator = createValidator()

/**
 * Checks a request against the rules in its contract. Errors: `invalid_argument` that names each field and rule, with
 * `buf.validate.Violations` as its detail; an Error when the rules themselves are wrong.
 */
export function validateMessage<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): void {
  const result = validator.validate(schema, message)
  if (result.kind === 'valid') return
  if (result.kind === 'error')
    throw new Error(`the rules of ${schema.typeName} do not work`, { cause: result.error })
  const [value, desc] = violationsToProto(result.violations)
  throw new ConnectError(inWords(result.violations), Code.InvalidArgument, undefined, [{ desc, value }])
}

function inWords(violations: readonly Violation[]): string {
  const named = violations.slice(0, maxViolationsNamed).map(violationInWords)
  const left = violations.length - named.length
  return named.join('; ') + (left > 0 ? `; and ${left} more` : '')
}

function violationInWords(violation: Violation): string {
  const words = violation.message.replace(/^value (?=must|length|is|does)/, '')
  const path = pathToString(violation.field)
  return path === '' ? words : `${path}: ${words}`
}
