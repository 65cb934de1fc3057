import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { createClient } from '@connectrpc/connect'
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts'
import { startTestServer, type TestServer } from '../testing.ts'
import { echo } from './echo.testing.ts'

type Question =
  Parameters<
    ReturnType<typeof createClient<typeof ServerReflection>>['serverReflectionInfo']
  >[0] extends AsyncIterable<infer Q>
    ? Q
    : never

async function ask(
  server: TestServer,
  version: typeof ServerReflection,
  messageRequest: Question['messageRequest'],
) {
  const client = createClient(version, server.transport)
  async function* questions() {
    yield { messageRequest }
  }
  for await (const reply of client.serverReflectionInfo(questions())) return reply.messageResponse
  throw new Error('no answer')
}

async function filesFor(server: TestServer, symbol: string): Promise<FileDescriptorProto[]> {
  const answer = await ask(server, ServerReflection, { case: 'fileContainingSymbol', value: symbol })
  assert.equal(answer.case, 'fileDescriptorResponse')
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
}

const versions = [
  ['v1', ServerReflection],
  // The messages of the two versions are the same on the wire and in their names.
  ['v1alpha', ServerReflectionAlpha as unknown as typeof ServerReflection],
] as const

for (const [name, version] of versions) {
  test(`reflection ${name} lists the services`, async (t) => {
    const server = await startTestServer([echo])
    t.after(server.close)
    const answer = await ask(server, version, { case: 'listServices', value: '' })
    assert.equal(answer.case, 'listServicesResponse')
    assert.deepEqual(
      answer.value.service.map((service) => service.name),
      [
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
        'nexus.echo.v1.EchoService',
      ],
    )
  })
}

test('reflection describes a service with all that it imports, so that a client can build it', async (t) => {
  const server = await startTestServer([echo])
  t.after(server.close)
  const file = await filesFor(server, 'nexus.echo.v1.EchoService')
  assert.equal(file[0]?.name, 'nexus/echo/v1/echo_service.proto')
  const registry = createFileRegistry(file[0]!, (name) => file.find((one) => one.name === name))
  assert.equal(registry.getService('nexus.echo.v1.EchoService')?.methods.length, 4)
  assert.ok(registry.getExtension('buf.validate.field'))
})

test('reflection finds methods, fields, enum values and extensions, and says what it does not know', async (t) => {
  const server = await startTestServer([echo])
  t.after(server.close)
  for (const symbol of [
    'nexus.echo.v1.EchoService.Echo',
    'nexus.echo.v1.EchoRequest.text',
    'nexus.echo.v1.Urgency',
    'nexus.echo.v1.URGENCY_LOW',
  ]) {
    assert.equal((await filesFor(server, symbol))[0]?.name, 'nexus/echo/v1/echo_service.proto', symbol)
  }
  const numbers = await ask(server, ServerReflection, {
    case: 'allExtensionNumbersOfType',
    value: 'google.protobuf.FieldOptions',
  })
  assert.equal(numbers.case, 'allExtensionNumbersResponse')
  assert.ok(numbers.value.extensionNumber.includes(1159))
  const extension = await ask(server, ServerReflection, {
    case: 'fileContainingExtension',
    value: { containingType: 'google.protobuf.FieldOptions', extensionNumber: 1159 },
  })
  assert.equal(extension.case, 'fileDescriptorResponse')
  const unknown = await ask(server, ServerReflection, { case: 'fileByFilename', value: 'no/such.proto' })
  assert.equal(unknown.case, 'errorResponse')
  assert.equal(unknown.value.errorCode, 5)
})

test('grpcurl lists, describes and calls without a proto file', async (t) => {
  if (!onPath('grpcurl')) return t.skip('grpcurl is not on PATH')
  const server = await startTestServer([echo])
  t.after(server.close)
  const run = promisify(execFile)
  const grpcurl = async (...args: string[]) => (await run('grpcurl', ['-plaintext', ...args])).stdout
  const address = `127.0.0.1:${server.port}`
  assert.match(await grpcurl(address, 'list'), /nexus\.echo\.v1\.EchoService/)
  assert.match(await grpcurl(address, 'describe', 'nexus.echo.v1.EchoRequest'), /string text = 1/)
  assert.match(
    await grpcurl('-d', '{"text":"hello"}', address, 'nexus.echo.v1.EchoService/Echo'),
    /"text": "hello"/,
  )
})

function onPath(program: string): boolean {
  try {
    execFileSync(program, ['-version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
