import type { Metadata } from '@grpc/grpc-js'

/** Reads gRPC metadata as headers. Binary values (keys that end in -bin) become base64, as Connect expects them. */
export function toHeaders(metadata: Metadata): Headers {
  const headers = new Headers()
  for (const [key, values] of Object.entries(metadata.toJSON())) {
    if (!Array.isArray(values)) continue
    for (const value of values)
      headers.append(key, typeof value === 'string' ? value : value.toString('base64'))
  }
  return headers
}

/** What Headers can be made of. */
export type HeadersLike = ConstructorParameters<typeof Headers>[0]

/** Adds headers to gRPC metadata. What the protocol itself owns (`grpc-*`, `content-type`, `te`) is left out. */
export function addHeaders(metadata: Metadata, headers: HeadersLike): Metadata {
  for (const [key, value] of new Headers(headers)) {
    if (isProtocolHeader(key)) continue
    if (!key.endsWith('-bin')) metadata.add(key, value)
    else for (const part of value.split(',')) metadata.add(key, Buffer.from(part.trim(), 'base64'))
  }
  return metadata
}

function isProtocolHeader(key: string): boolean {
  return key.startsWith('grpc-') || key === 'content-type' || key === 'te' || key === 'content-length'
}

/** The first value of a text key; undefined when it is not there. */
export function firstText(metadata: Metadata, key: string): string | undefined {
  const value = metadata.get(key)[0]
  return typeof value === 'string' ? value : undefined
}
