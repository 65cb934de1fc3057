/** A body that is larger than it may be. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError'
}

/**
 * `fetch` that reads at most `maxBytes` of a body, counted after decompression, and follows no redirect: a key must not
 * travel to a host that nobody has configured.
 */
export function boundedFetch(maxBytes: number): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'error' })
    if (!response.body) return response
    const { status, statusText, headers } = response
    return new Response(response.body.pipeThrough(limit(maxBytes)), {
      status,
      statusText,
      headers: withoutLength(headers),
    })
  }
}

function limit(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let seen = 0
  return new TransformStream({
    transform(chunk, controller) {
      seen += chunk.byteLength
      if (seen > maxBytes) throw new BodyTooLargeError(`the answer is larger than ${maxBytes} bytes`)
      controller.enqueue(chunk)
    },
  })
}

/** They describe the bytes on the wire; what is handed on is decompressed already. */
function withoutLength(headers: Headers): Headers {
  const kept = new Headers(headers)
  for (const name of ['content-length', 'content-encoding']) kept.delete(name)
  return kept
}
