import {
  create,
  type DescMessage,
  fromBinary,
  isMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { type Code, ConnectError } from '@connectrpc/connect'

/** A message as bytes, ready for grpc-js; what is not yet a message is made into one. */
export function encode<Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): Buffer {
  const whole = isMessage(message, schema) ? message : create(schema, message)
  const bytes = toBinary(schema, whole)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Bytes as a message. Errors: ConnectError with `code` when they are not one. */
export function decode<Desc extends DescMessage>(
  schema: Desc,
  bytes: Buffer,
  code: Code,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes)
  } catch (error) {
    throw new ConnectError(`the bytes are not a ${schema.typeName}`, code, undefined, undefined, error)
  }
}

/** Hands bytes on unchanged: grpc-js is given no codec, so that what goes wrong in one is ours to report. */
export function asIs(bytes: Buffer): Buffer {
  return bytes
}
