/** A request to the REST API and the exact answer to it. Data only: the same list can be put to a real Kong. */
export interface Vector {
  readonly name: string
  readonly method: string
  readonly path: string
  /** Besides the key, which every request has unless it is given here (empty: none). */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The call that reaches the service, in protobuf's JSON, and what the service does; absent: no call reaches it. */
  readonly upstream?: {
    readonly rpc: string
    readonly request: object
    readonly reply?: object
    readonly error?: { readonly code: number; readonly message: string }
  }
  readonly status: number
  /** Headers that must be there with these values; others may be. */
  readonly answerHeaders?: Readonly<Record<string, string>>
  /** The exact body. */
  readonly answer: string
  /** Where Kong answers otherwise, and how. */
  readonly kong?: string
}
