import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import {
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  getOption,
  toJson,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { http } from '../services/gen/google/api/annotations_pb.ts'
import { HttpRuleSchema } from '../services/gen/google/api/http_pb.ts'
import { routesOf } from '../services/platform/edge/routes.ts'
import { printGatewayProtos, rootFile, services, writeGatewayProtos } from './gateway-protos.ts'

let folder: string
let built: FileRegistry

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'nexus-gateway-protos-'))
  writeGatewayProtos(folder)
  const buf = path.join(import.meta.dirname, '..', 'node_modules', '.bin', 'buf')
  // Without cache and configuration: what is printed has to stand by itself.
  const env = { ...process.env, BUF_CACHE_DIR: path.join(folder, '..'), HOME: folder }
  const image = execFileSync(buf, ['build', folder, '--as-file-descriptor-set', '-o', '-#format=binpb'], {
    env,
  })
  built = createFileRegistry(fromBinary(FileDescriptorSetSchema, image))
})

after(() => rmSync(folder, { recursive: true }))

/** Comments may say what they like. */
function nexusTexts(): [string, string][] {
  return [...printGatewayProtos(services)]
    .filter(([name]) => !name.startsWith('google/'))
    .map(([name, text]) => [name, text.replace(/\/\/.*$/gm, '')])
}

test('nothing is printed that the Lua parser of Kong reads wrongly', () => {
  const forbidden: [string, RegExp][] = [
    ['proto3 optional', /\boptional\b/],
    ['editions', /\bedition\b/],
    ['inline field options', /=\s*\d+\s*\[/],
    ['lists of bindings', /additional_bindings\s*:?\s*\[/],
    ['oneof', /\boneof\b/],
    ['validation', /buf\.validate|buf\/validate/],
    ['bytes', /\bbytes\b/],
    ['streams', /\bstream\b/],
    ['path variables below the top', /\{\w+\.\w/],
  ]
  for (const [name, text] of nexusTexts()) {
    assert.match(text, /syntax = "proto3";/, name)
    for (const [what, pattern] of forbidden) assert.doesNotMatch(text, pattern, `${what} in ${name}`)
  }
})

test('the root file imports every other file', () => {
  const names = nexusTexts().map(([name]) => name)
  const root = printGatewayProtos(services).get(rootFile) ?? ''
  for (const name of names) if (name !== rootFile) assert.ok(root.includes(`import "${name}";`), name)
})

test('what buf builds of it has the same public RPCs with the same paths', () => {
  const original = routesOf(services)
  const rebuilt = [...built].filter((type): type is DescService => type.kind === 'service')
  const printed = rebuilt.flatMap((service) => service.methods)
  assert.deepEqual(
    printed.map((method) => `${method.parent.typeName}/${method.name}`).sort(),
    [...new Set(original.map(({ rpc }) => `${rpc.parent.typeName}/${rpc.name}`))].sort(),
  )
  for (const { rpc } of original) {
    const method = built.getService(rpc.parent.typeName)?.methods.find(({ name }) => name === rpc.name)
    assert.ok(method)
    const rule = (of: typeof rpc | typeof method) => toJson(HttpRuleSchema, getOption(of, http))
    assert.deepEqual(rule(method), rule(rpc))
  }
})

test('what buf builds of it has the same messages on the wire', () => {
  const shape = (message: DescMessage | undefined) => {
    return message?.fields.map(({ name, number, fieldKind, scalar, message: inner, enum: word }) => {
      return { name, number, fieldKind, scalar, type: inner?.typeName ?? word?.typeName }
    })
  }
  let compared = 0
  for (const { rpc } of routesOf(services)) {
    for (const message of [rpc.input, rpc.output]) {
      assert.deepEqual(shape(built.getMessage(message.typeName)), shape(message), message.typeName)
      for (const { message: inner } of message.fields) {
        if (inner) assert.deepEqual(shape(built.getMessage(inner.typeName)), shape(inner), inner.typeName)
      }
      compared += 1
    }
  }
  assert.ok(compared > 20)
})
