import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import type { JsonValue } from '../platform/canonical-json.ts'
import { type ConversationParts, type Costed, complete } from './converse.ts'
import type { Completion, Prompt, TokenUsage } from './model.ts'
import { sumUsage } from './tokens.ts'

/** The schema of a request cannot be used. The message says why. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
}

/** The model has answered, but not with what was asked for. The message never quotes the answer. */
export class UnusableAnswerError extends Error {
  override readonly name = 'UnusableAnswerError'
}

/** Checked JSON. */
export interface Structured {
  readonly json: string
  readonly usage: TokenUsage
  readonly model: string
}

/** The first answer and one repair. */
const maxAnswers = 2
const maxFaults = 5

/** A schema that is ready to check with. */
export interface PreparedSchema {
  readonly schema: { readonly [key: string]: JsonValue }
  /** What is wrong with a text, or undefined. */
  faultOf(text: string): string | undefined
}

/** Errors: SchemaError when it is not JSON, no schema, or not one of an object. References to elsewhere are never fetched. */
export function prepareSchema(text: string): PreparedSchema {
  let schema: unknown
  try {
    schema = JSON.parse(text)
  } catch (error) {
    throw new SchemaError(`it is not JSON: ${(error as Error).message}`)
  }
  if (typeof schema !== 'object' || schema === null || (schema as { type?: unknown }).type !== 'object') {
    throw new SchemaError('its root must be a schema of "type": "object"')
  }
  const validate = compile(schema)
  return { schema: schema as PreparedSchema['schema'], faultOf: (answer) => faultOf(validate, answer) }
}

function compile(schema: object): ValidateFunction {
  try {
    return new Ajv2020({ strict: false, validateFormats: false, logger: false }).compile(schema)
  } catch (error) {
    throw new SchemaError(`it is no JSON Schema (2020-12): ${(error as Error).message}`)
  }
}

function faultOf(validate: ValidateFunction, text: string): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is not JSON'
  }
  return validate(value) ? undefined : wordsOf(validate.errors ?? [])
}

/** The place and the rule; ajv's messages quote the schema, never the answer. */
function wordsOf(errors: readonly ErrorObject[]): string {
  return errors
    .slice(0, maxFaults)
    .map(({ instancePath, message }) => `${instancePath || 'the root'} ${message ?? 'is wrong'}`)
    .join('; ')
}

/**
 * Asks for JSON, checks it, and asks once more with the faults named. Errors: UnusableAnswerError when the second answer is
 * wrong too, when the model refuses, or when the answer was cut; and those of `complete`.
 */
export async function completeStructured(
  parts: ConversationParts,
  request: { prompt: Prompt; prepared: PreparedSchema },
  signal: AbortSignal,
): Promise<Structured> {
  const usages: TokenUsage[] = []
  let { prompt } = request
  for (let answers = 1; ; answers += 1) {
    const answer = await complete(parts, prompt, signal)
    usages.push(answer.usage)
    checkWhole(answer, prompt)
    const fault = request.prepared.faultOf(answer.text)
    if (fault === undefined) return { json: answer.text, usage: sumUsage(usages), model: answer.model }
    parts.events.answerUnusable(fault)
    if (answers === maxAnswers)
      throw new UnusableAnswerError(`the model's JSON does not satisfy the schema: ${fault}`)
    prompt = askedToRepair(prompt, answer, fault)
  }
}

function checkWhole({ finishReason }: Costed<Completion>, { maxOutputTokens }: Prompt): void {
  if (finishReason === 'content_filter') throw new UnusableAnswerError('the model declined to answer')
  if (finishReason === 'length') {
    throw new UnusableAnswerError(
      `the model's JSON was cut at max_output_tokens (${maxOutputTokens}): allow more`,
    )
  }
}

function askedToRepair(prompt: Prompt, { text }: Completion, fault: string): Prompt {
  const remark = `That JSON does not satisfy the schema: ${fault}. Answer with the corrected JSON only.`
  const repair = [
    { role: 'assistant' as const, content: text },
    { role: 'user' as const, content: remark },
  ]
  return { ...prompt, turns: [...prompt.turns, ...repair] }
}
