import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  ScalarType,
} from '@bufbuild/protobuf'
import { http } from '../services/gen/google/api/annotations_pb.ts'
import type { HttpRule } from '../services/gen/google/api/http_pb.ts'
import { CodeModifierService } from '../services/gen/nexus/code_modifier/v1/code_modifier_service_pb.ts'
import { DeployerService } from '../services/gen/nexus/deployer/v1/deployer_service_pb.ts'
import { ExecutionSandboxService } from '../services/gen/nexus/execution_sandbox/v1/execution_sandbox_service_pb.ts'
import { GovernorService } from '../services/gen/nexus/governor/v1/governor_service_pb.ts'
import { KnowledgeRetrieverService } from '../services/gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { LlmAdapterService } from '../services/gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import { MetaControllerService } from '../services/gen/nexus/meta_controller/v1/meta_controller_service_pb.ts'
import { OrchestratorService } from '../services/gen/nexus/orchestrator/v1/orchestrator_service_pb.ts'
import { routesOf } from '../services/platform/edge/routes.ts'

/** The services of the contracts, in the order in which Kong tries their paths. */
export const services: readonly DescService[] = [
  OrchestratorService,
  MetaControllerService,
  GovernorService,
  CodeModifierService,
  DeployerService,
  KnowledgeRetrieverService,
  LlmAdapterService,
  ExecutionSandboxService,
]

/** The file that Kong's `config.proto` names; it imports all others. */
export const rootFile = 'all.proto'

const header =
  '// Printed by tools/gateway-protos.ts from proto/nexus for Kong; not to be edited.\nsyntax = "proto3";\n'
const maxAdditionalBindings = 1
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const copied = ['google/api/annotations.proto', 'google/api/http.proto']

/**
 * Prints what Kong's grpc-gateway needs of the contracts, in the dialect that its Lua parser reads: the public RPCs, the
 * messages that they reach, no option on any field. Gives path → text. Errors: Error naming what Kong would get wrong.
 */
export function printGatewayProtos(contracts: readonly DescService[]): Map<string, string> {
  // Refuses what REST cannot carry at all: streams, bytes, path variables that are not plain fields.
  routesOf(contracts)
  const methods = contracts.flatMap((service) => service.methods.filter((method) => hasOption(method, http)))
  const reached = new Set<DescMessage | DescEnum>()
  for (const method of methods) for (const message of [method.input, method.output]) reach(message, reached)
  const files = new Set<DescFile>(
    [...reached, ...methods.map(({ parent }) => parent)].map(({ file }) => file),
  )
  const printed = new Map<string, string>()
  for (const file of files) {
    if (!isFromKong(file)) printed.set(`${file.name}.proto`, printFile(file, methods, reached))
  }
  const imports = [...printed.keys()].sort().map((name) => `import "${name}";`)
  printed.set(rootFile, `${header}\n${imports.join('\n')}\n`)
  for (const name of copied) printed.set(name, readFileSync(path.join(root, 'proto', name), 'utf8'))
  return printed
}

/** Kong's image has google/protobuf in its include folder. */
function isFromKong(file: DescFile): boolean {
  return file.name.startsWith('google/protobuf/')
}

function reach(type: DescMessage | DescEnum, reached: Set<DescMessage | DescEnum>): void {
  if (reached.has(type)) return
  reached.add(type)
  if (type.kind === 'enum' || isFromKong(type.file)) return
  if (type.parent !== undefined) throw new Error(`${type.typeName} is nested: move it to the top of its file`)
  if (type.oneofs.length > 0) {
    throw new Error(
      `${type.typeName} has a oneof, for which Kong's JSON has a key of its own: keep it out of REST`,
    )
  }
  for (const field of type.fields) {
    const inner = field.message ?? field.enum
    if (inner !== undefined) reach(inner, reached)
  }
}

function printFile(file: DescFile, methods: readonly DescMethod[], reached: ReadonlySet<object>): string {
  const enums = file.enums.filter((type) => reached.has(type)).map(printEnum)
  const messages = file.messages.filter((type) => reached.has(type)).map(printMessage)
  const printedServices = file.services.flatMap((service) => {
    const own = methods.filter(({ parent }) => parent === service)
    return own.length === 0 ? [] : [`service ${service.name} {\n${own.map(printMethod).join('\n')}\n}`]
  })
  const imports = importsOf(file, methods, reached).map((name) => `import "${name}";`)
  const head = [`${header}\npackage ${file.proto.package};`, imports.join('\n')].filter((part) => part !== '')
  return `${[...head, ...printedServices, ...messages, ...enums].join('\n\n')}\n`
}

function importsOf(file: DescFile, methods: readonly DescMethod[], reached: ReadonlySet<object>): string[] {
  const names = new Set<string>()
  const own = methods.filter((method) => method.parent.file === file)
  if (own.length > 0) names.add('google/api/annotations.proto')
  for (const method of own)
    for (const type of [method.input, method.output]) names.add(`${type.file.name}.proto`)
  for (const message of file.messages.filter((type) => reached.has(type))) {
    for (const { message: inner, enum: word } of message.fields) {
      const type = inner ?? word
      if (type !== undefined) names.add(`${type.file.name}.proto`)
    }
  }
  names.delete(`${file.name}.proto`)
  return [...names].sort()
}

function printMethod(method: DescMethod): string {
  const rule = getOption(method, http)
  if (rule.additionalBindings.length > maxAdditionalBindings) {
    throw new Error(
      `${method.parent.typeName}/${method.name} has two additional_bindings: Kong sees the last one only`,
    )
  }
  const bindings = rule.additionalBindings.map((binding) => {
    return `      additional_bindings {\n${printRule(binding, '        ')}\n      }\n`
  })
  return [
    `  rpc ${method.name}(${method.input.typeName}) returns (${method.output.typeName}) {`,
    `    option (google.api.http) = {\n${printRule(rule, '      ')}\n${bindings.join('')}    };`,
    '  }',
  ].join('\n')
}

function printRule(rule: HttpRule, indent: string): string {
  const lines = [`${indent}${rule.pattern.case}: ${JSON.stringify(rule.pattern.value)}`]
  if (rule.body !== '') lines.push(`${indent}body: ${JSON.stringify(rule.body)}`)
  return lines.join('\n')
}

function printMessage(message: DescMessage): string {
  const fields = message.fields.map((field) => `  ${typeOf(field)} ${field.name} = ${field.number};`)
  return fields.length === 0
    ? `message ${message.name} {}`
    : `message ${message.name} {\n${fields.join('\n')}\n}`
}

function printEnum(type: DescEnum): string {
  const values = type.values.map(({ name, number }) => `  ${name} = ${number};`)
  return `enum ${type.name} {\n${values.join('\n')}\n}`
}

function typeOf(field: DescField): string {
  const item = field.message?.typeName ?? field.enum?.typeName ?? scalarName(field.scalar)
  if (field.fieldKind === 'map') return `map<${scalarName(field.mapKey)}, ${item}>`
  return field.fieldKind === 'list' ? `repeated ${item}` : item
}

function scalarName(type: ScalarType | undefined): string {
  const names = Object.entries(ScalarType) as [string, ScalarType][]
  return (names.find(([, value]) => value === type)?.[0] ?? '').toLowerCase()
}

/** Writes the files into a folder, which is emptied first. */
export function writeGatewayProtos(folder: string): string[] {
  const printed = printGatewayProtos(services)
  rmSync(folder, { recursive: true, force: true })
  for (const [name, text] of printed) {
    const file = path.join(folder, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  return [...printed.keys()]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , folder] = process.argv
  if (folder === undefined) {
    process.stderr.write('usage: node tools/gateway-protos.ts <folder>, which is emptied first\n')
    process.exitCode = 2
  } else {
    for (const name of writeGatewayProtos(path.resolve(folder))) process.stdout.write(`${name}\n`)
  }
}
