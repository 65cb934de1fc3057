import { invariant } from '../platform/invariant.ts'
import { digestOfText } from '../platform/warrant/digest.ts'

type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs')
type DetailedError = import('@cedar-policy/cedar-wasm/nodejs').DetailedError
type CedarValue = import('@cedar-policy/cedar-wasm/nodejs').CedarValueJson

/** The policy cannot be used. The message names file, line and what is wrong. It stops the start. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
}

/** One request to the policy, as `policy/schema.cedarschema` describes it. */
export interface PolicyRequest {
  readonly action: 'commit' | 'deploy'
  readonly target: string
  readonly context: Readonly<Record<string, CedarValue>>
}

/** What the policy says to one request. */
export interface PolicyAnswer {
  readonly allowed: boolean
  /** The policies that decided: the permits when allowed, the forbids when not, none when nothing permitted it. */
  readonly deciding: readonly DecidingPolicy[]
  /** Errors while judging. Any is a denial: Cedar skips a forbid that fails, which would let a permit win. */
  readonly errors: readonly string[]
}

export interface DecidingPolicy {
  readonly id: string
  /** Its @reason, in words. */
  readonly reason: string
}

/** A policy in force. */
export interface Policy {
  readonly text: string
  /** SHA-256 of the text, in hex. */
  readonly digest: string
  decide(request: PolicyRequest): PolicyAnswer
}

/** Parses and validates Cedar text against the schema. `file` is for messages. Errors: PolicyError. */
export async function loadPolicy(source: { text: string; schema: string; file: string }): Promise<Policy> {
  const cedar = await loadCedar()
  const { text, schema, file } = source
  checkValid(cedar, source)
  const reasons = new Map<string, string>()
  const named: Record<string, string> = {}
  for (const part of partsOf(cedar, text, file)) {
    const { id, reason } = annotationsOf(cedar, part, file)
    if (id in named) throw new PolicyError(`${file}: two policies have the @id "${id}"`)
    named[id] = part
    reasons.set(id, reason)
  }
  const digest = digestOfText(text)
  // Cedar keeps parsed sets by name for the whole process, so the name is the content.
  const names = { set: `policy-${digest}`, schema: `schema-${digestOfText(schema)}` }
  const parsed = [
    cedar.preparsePolicySet(names.set, { staticPolicies: named }),
    cedar.preparseSchema(names.schema, schema),
  ]
  for (const answer of parsed) {
    if (answer.type === 'failure') throw new PolicyError(`${file}: ${wordsOf(answer.errors)}`)
  }
  return { text, digest, decide: (request) => decide(cedar, names, reasons, request) }
}

/** The WebAssembly module is loaded by who needs a policy, and not with the program. */
async function loadCedar(): Promise<Cedar> {
  return import('@cedar-policy/cedar-wasm/nodejs')
}

function checkValid(cedar: Cedar, { text, schema, file }: { text: string; schema: string; file: string }) {
  const answer = cedar.validate({ schema, policies: { staticPolicies: text } })
  const errors = answer.type === 'failure' ? answer.errors : answer.validationErrors.map(({ error }) => error)
  if (errors.length === 0) return
  const lines = errors.map((error) => `${file}${lineOf(text, error)}: ${wordsOf([error])}`)
  throw new PolicyError([...new Set(lines)].join('\n'))
}

function partsOf(cedar: Cedar, text: string, file: string): readonly string[] {
  const parts = cedar.policySetTextToParts(text)
  if (parts.type === 'failure') throw new PolicyError(`${file}: ${wordsOf(parts.errors)}`)
  if (parts.policy_templates.length > 0) throw new PolicyError(`${file}: templates are not supported`)
  if (parts.policies.length === 0)
    throw new PolicyError(`${file}: it holds no policy, so nothing would ever happen`)
  return parts.policies
}

function annotationsOf(cedar: Cedar, part: string, file: string): DecidingPolicy {
  const answer = cedar.policyToJson(part)
  if (answer.type === 'failure') throw new PolicyError(`${file}: ${wordsOf(answer.errors)}`)
  const { id, reason } = answer.json.annotations ?? {}
  if (!id) throw new PolicyError(`${file}: every policy needs an @id("…"), this one has none: ${part}`)
  return { id, reason: reason ?? id }
}

function decide(
  cedar: Cedar,
  names: { set: string; schema: string },
  reasons: ReadonlyMap<string, string>,
  request: PolicyRequest,
): PolicyAnswer {
  const answer = cedar.statefulIsAuthorized({
    principal: { type: 'Nexus::Proposer', id: 'nexus' },
    action: { type: 'Nexus::Action', id: request.action },
    resource: { type: 'Nexus::Target', id: request.target },
    context: { ...request.context },
    entities: [],
    preparsedPolicySetId: names.set,
    preparsedSchemaName: names.schema,
    validateRequest: true,
  })
  if (answer.type === 'failure')
    return { allowed: false, deciding: [], errors: answer.errors.map(wordsOfOne) }
  const { decision, diagnostics } = answer.response
  const errors = diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${wordsOfOne(error)}`)
  const deciding = diagnostics.reason.map((id) => {
    const reason = reasons.get(id)
    invariant(reason !== undefined, 'Cedar names only policies that it was given')
    return { id, reason }
  })
  if (errors.length > 0) return { allowed: false, deciding: decision === 'deny' ? deciding : [], errors }
  return { allowed: decision === 'allow', deciding, errors }
}

/** Cedar counts bytes. */
function lineOf(text: string, error: DetailedError): string {
  const start = error.sourceLocations?.[0]?.start
  if (start === undefined) return ''
  return `:${Buffer.from(text, 'utf8').subarray(0, start).toString('utf8').split('\n').length}`
}

function wordsOf(errors: readonly DetailedError[]): string {
  return errors.map(wordsOfOne).join('; ')
}

function wordsOfOne(error: DetailedError): string {
  return [error.message, error.sourceLocations?.[0]?.label, error.help].filter(Boolean).join(', ')
}
