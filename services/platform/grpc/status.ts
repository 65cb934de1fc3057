import { Code, ConnectError } from '@connectrpc/connect'
import { findTrailerError, setTrailerStatus } from '@connectrpc/connect/protocol-grpc'
import { type status as GrpcStatus, Metadata, type StatusObject } from '@grpc/grpc-js'
import { addHeaders, toHeaders } from './metadata.ts'

const detailsKey = 'grpc-status-details-bin'

/** A ConnectError as grpc-js sends it: code, message, and its details and metadata in the trailers. */
export function toStatus(error: ConnectError): StatusObject {
  const metadata = addHeaders(new Metadata(), error.metadata)
  if (error.details.length > 0) {
    const encoded = setTrailerStatus(new Headers(), error).get(detailsKey) ?? ''
    metadata.set(detailsKey, Buffer.from(encoded, 'base64'))
  }
  return { code: error.code as number as GrpcStatus, details: error.rawMessage, metadata }
}

/** The status of a failed call as a ConnectError, with details and trailers. An unknown code becomes `unknown`. */
export function fromStatus(status: StatusObject): ConnectError {
  const trailer = toHeaders(status.metadata)
  const code = status.code in Code ? (status.code as number as Code) : Code.Unknown
  const error = new ConnectError(status.details, code, trailer)
  if (trailer.has(detailsKey)) error.details = detailsOf(trailer)
  return error
}

function detailsOf(trailer: Headers): ConnectError['details'] {
  try {
    return findTrailerError(trailer)?.details ?? []
  } catch {
    // A peer that sends details nobody can read has still said its code and message.
    return []
  }
}

/** The name of a code in metrics, as go-grpc-prometheus writes it: `OK`, `InvalidArgument`. */
export function codeName(code: Code | undefined): string {
  return code === undefined ? 'OK' : (Code[code] ?? 'Unknown')
}
