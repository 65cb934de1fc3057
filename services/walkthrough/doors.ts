/** A reply of the REST API or its admin port. */
export interface RestReply {
  readonly status: number
  readonly body: Record<string, unknown>
}

const timeoutMs = 30_000

/** Posts JSON. Errors: Error with the status and the body of a reply that is not 2xx. */
export async function post(
  url: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<RestReply> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${text}`)
  return { status: response.status, body: JSON.parse(text) as Record<string, unknown> }
}
