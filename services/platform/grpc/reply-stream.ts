import type { ConnectError } from '@connectrpc/connect'
import { Metadata } from '@grpc/grpc-js'
import type { OutgoingCall, Replies } from './outgoing-call.ts'

type Waiting = { resolve: (result: IteratorResult<Buffer>) => void; reject: (error: ConnectError) => void }

/**
 * The replies of a stream, read one at a time: one message is kept ahead, and the peer is held back by flow control
 * until it is taken. States: open; then ended, with or without an error, once the kept message is taken.
 */
export class ReplyStream implements Replies, AsyncIterableIterator<Buffer> {
  readonly call: OutgoingCall
  /** Resolves with the response headers; they are empty when the peer answers with trailers only. */
  readonly headers: Promise<Metadata>
  trailer = new Metadata()
  /** Called once when the call ends; whoever waits for something else meanwhile sets it. */
  onEnded: (() => void) | undefined
  #resolveHeaders: (metadata: Metadata) => void
  #kept: Buffer | undefined
  #waiting: Waiting | undefined
  #ended = false
  #error: ConnectError | undefined

  constructor(call: OutgoingCall) {
    this.call = call
    const { promise, resolve } = Promise.withResolvers<Metadata>()
    this.headers = promise
    this.#resolveHeaders = resolve
  }

  header(metadata: Metadata): void {
    this.#resolveHeaders(metadata)
  }

  message(bytes: Buffer): void {
    const waiting = this.#waiting
    if (waiting === undefined) {
      this.#kept = bytes
      return
    }
    this.#waiting = undefined
    waiting.resolve({ done: false, value: bytes })
    this.call.read()
  }

  ended(error: ConnectError | undefined, trailer: Metadata): void {
    this.#ended = true
    this.#error = error
    this.trailer = trailer
    this.#resolveHeaders(new Metadata())
    this.onEnded?.()
    const waiting = this.#waiting
    this.#waiting = undefined
    if (error) waiting?.reject(error)
    else waiting?.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next message. It is asked for by one reader at a time. */
  async next(): Promise<IteratorResult<Buffer>> {
    // Whoever has cancelled does not want what is left; whoever was cut by the peer does.
    if (this.call.abortError) throw this.call.abortError
    const kept = this.#kept
    if (kept !== undefined) {
      this.#kept = undefined
      this.call.read()
      return { done: false, value: kept }
    }
    if (this.#error) throw this.#error
    if (this.#ended) return { done: true, value: undefined }
    return await new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }
}
