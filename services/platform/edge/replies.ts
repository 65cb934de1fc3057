import { Code, type ConnectError } from '@connectrpc/connect'
import { type FieldPath, ViolationsSchema } from '../../gen/buf/validate/validate_pb.ts'
import type { FieldError } from './json-in.ts'

/** An HTTP reply with a JSON body. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A field that is wrong, and how. */
interface FieldFault {
  readonly field: string
  readonly description: string
}

// Kong's grpc-gateway, kong/plugins/grpc-gateway/handler.lua.
const statuses: Record<Code, number> = {
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 500,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
}

const maxMessageHeaderChars = 2048

/** A reply with a body that is JSON text already. */
export function jsonReply(status: number, body: string, headers: Reply['headers'] = {}): Reply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body }
}

/** What the gateway itself says, in Kong's form. */
export function gatewayReply(status: number, message: string, headers: Reply['headers'] = {}): Reply {
  const contentType = 'application/json; charset=utf-8'
  return jsonReply(status, JSON.stringify({ message }), { 'content-type': contentType, ...headers })
}

/** The error of a call: Kong's status and headers, and a body that Kong would leave empty. */
export function errorReply(error: ConnectError): Reply {
  return faultReply(error.code, error.rawMessage, faultsOf(error))
}

/** A request that no message can be made of; in Kong a 400 in plain text. */
export function fieldErrorReply(error: FieldError): Reply {
  const fields = error.field === '' ? [] : [{ field: error.field, description: error.message }]
  const message = error.field === '' ? error.message : `${error.field}: ${error.message}`
  return faultReply(Code.InvalidArgument, message, fields)
}

/** A path that no RPC has, below a prefix that a service has. In Kong 400 too, in plain text. */
export function unknownPathReply(method: string, path: string): Reply {
  return faultReply(Code.InvalidArgument, `there is no ${method} ${path}; GET / lists what there is`, [])
}

function faultReply(code: Code, message: string, fields: readonly FieldFault[]): Reply {
  const body = JSON.stringify({ error: { code: codeName(code), message, fields } })
  const headers = { 'grpc-status': String(code), 'grpc-message': percentEncoded(message) }
  return jsonReply(statuses[code], body, headers)
}

/** `INVALID_ARGUMENT`, as gRPC writes its codes. */
function codeName(code: Code): string {
  return (Code[code] ?? 'Unknown').replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
}

/** As gRPC sends messages: bytes other than printable ASCII, and %, as %XX. */
function percentEncoded(message: string): string {
  const shortened = message.slice(0, maxMessageHeaderChars).toWellFormed()
  return Array.from(Buffer.from(shortened), (byte) => {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    return isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')
}

function faultsOf(error: ConnectError): FieldFault[] {
  return error
    .findDetails(ViolationsSchema)
    .flatMap(({ violations }) =>
      violations.map(({ field, message }) => ({ field: pathOf(field), description: message })),
    )
}

function pathOf(path: FieldPath | undefined): string {
  let text = ''
  for (const { fieldName, subscript } of path?.elements ?? []) {
    text += text === '' ? fieldName : `.${fieldName}`
    if (subscript.case !== undefined)
      text += `[${JSON.stringify(typeof subscript.value === 'bigint' ? Number(subscript.value) : subscript.value)}]`
  }
  return text
}
