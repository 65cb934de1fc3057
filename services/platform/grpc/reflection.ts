import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from '@bufbuild/protobuf'
import { nestedTypes } from '@bufbuild/protobuf/reflect'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { Code } from '@connectrpc/connect'
import { Health } from '../../gen/grpc/health/v1/health_pb.ts'
import { ServerReflection, type ServerReflectionRequest } from '../../gen/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts'
import { type MountedService, mount } from '../service.ts'

/** What reflection knows: every file of the mounted services, and of what they import. */
interface Index {
  readonly serviceNames: readonly string[]
  readonly fileByName: ReadonlyMap<string, DescFile>
  /** By the full name of a service, method, message, field, oneof, enum, enum value or extension. */
  readonly fileBySymbol: ReadonlyMap<string, DescFile>
  /** By the extended message and then the field number. */
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>
}

/** Server reflection, v1 and v1alpha, so that grpcurl needs no proto file. It lists itself and health too. */
export function createReflection(mounted: readonly MountedService[]): MountedService[] {
  const services = [...mounted.map((one) => one.descriptor), Health, ServerReflection, ServerReflectionAlpha]
  const index = indexServices(services)
  // The two versions differ in their package name only, so one set of handlers serves both.
  async function* serverReflectionInfo(requests: AsyncIterable<Asked>) {
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: answer(index, request) }
    }
  }
  const handlers = { serverReflectionInfo } as never
  return [mount(ServerReflection, handlers), mount(ServerReflectionAlpha, handlers)]
}

type Asked = Pick<ServerReflectionRequest, 'host' | 'messageRequest'>

function answer(index: Index, { messageRequest: asked }: Asked) {
  switch (asked.case) {
    case 'listServices':
      return {
        case: 'listServicesResponse',
        value: { service: index.serviceNames.map((name) => ({ name })) },
      }
    case 'fileByFilename':
      return fileAnswer(index.fileByName.get(asked.value), asked.value)
    case 'fileContainingSymbol':
      return fileAnswer(index.fileBySymbol.get(asked.value), asked.value)
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = asked.value
      return fileAnswer(
        index.extensions.get(containingType)?.get(extensionNumber),
        `extension ${extensionNumber} of ${containingType}`,
      )
    }
    case 'allExtensionNumbersOfType': {
      if (!index.fileBySymbol.has(asked.value)) return notFound(asked.value)
      const numbers = [...(index.extensions.get(asked.value)?.keys() ?? [])]
      return {
        case: 'allExtensionNumbersResponse',
        value: { baseTypeName: asked.value, extensionNumber: numbers },
      }
    }
    default:
      return errorAnswer(Code.InvalidArgument, 'the request asks for nothing')
  }
}

function fileAnswer(file: DescFile | undefined, asked: string) {
  if (file === undefined) return notFound(asked)
  const files = withImports(file)
  const bytes = files.map((one) => toBinary(FileDescriptorProtoSchema, one.proto))
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: bytes } }
}

function notFound(asked: string) {
  return errorAnswer(Code.NotFound, `${asked} is not known here`)
}

function errorAnswer(code: Code, message: string) {
  return { case: 'errorResponse', value: { errorCode: code, errorMessage: message } }
}

/** The file first, then all that it imports, each once. */
function withImports(file: DescFile): DescFile[] {
  const found = new Set<DescFile>()
  const waiting = [file]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue
    found.add(next)
    waiting.push(...next.dependencies)
  }
  return [...found]
}

function indexServices(services: readonly DescService[]): Index {
  const files = new Set(services.flatMap((service) => withImports(service.file)))
  const fileByName = new Map<string, DescFile>()
  const fileBySymbol = new Map<string, DescFile>()
  const extensions = new Map<string, Map<number, DescFile>>()
  for (const file of files) {
    // A descriptor calls its file `a/b`; the wire calls it `a/b.proto`.
    fileByName.set(file.proto.name, file)
    for (const symbol of symbolsOf(file)) fileBySymbol.set(symbol, file)
    for (const extension of extensionsOf(file)) {
      const numbers = extensions.get(extension.extendee.typeName) ?? new Map<number, DescFile>()
      extensions.set(extension.extendee.typeName, numbers.set(extension.number, file))
    }
  }
  const serviceNames = services.map((service) => service.typeName).sort()
  return { serviceNames, fileByName, fileBySymbol, extensions }
}

function symbolsOf(file: DescFile): string[] {
  return [...nestedTypes(file)].flatMap((desc) => [desc.typeName, ...partsOf(desc)])
}

/** Full names of what a type contains besides other types. */
function partsOf(desc: DescService | DescMessage | DescEnum | DescExtension): string[] {
  switch (desc.kind) {
    case 'service':
      return desc.methods.map((method) => `${desc.typeName}.${method.name}`)
    case 'message':
      return [...desc.fields, ...desc.oneofs].map((part) => `${desc.typeName}.${part.name}`)
    case 'enum':
      // Enum values are named in the scope around their enum, as in C++.
      return desc.values.map((value) => desc.typeName.slice(0, -desc.name.length) + value.name)
    case 'extension':
      return []
  }
}

function extensionsOf(file: DescFile): DescExtension[] {
  return [...nestedTypes(file)].filter((desc) => desc.kind === 'extension')
}
