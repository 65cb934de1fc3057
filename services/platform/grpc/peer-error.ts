import type { DescMethod } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { JournalUnavailableError } from '../journal/journal.ts'

const peers = new WeakMap<ConnectError, DescMethod>()

/** Remembers that `error` came from a call to `method`, so that the server edge does not pass it off as its own. */
export function markPeerError(error: ConnectError, method: DescMethod): ConnectError {
  peers.set(error, method)
  return error
}

/** What the caller is told, and whether that hides something that only the log has. */
export interface Recoded {
  readonly error: ConnectError
  /** True when `error` is not the one that was thrown: the log keeps the cause. */
  readonly hidden: boolean
}

// A callee that is overloaded is for our caller the same as one that is away: it may try again later.
const keptCodes = new Map<Code, Code>([
  [Code.Unavailable, Code.Unavailable],
  [Code.ResourceExhausted, Code.Unavailable],
  [Code.DeadlineExceeded, Code.DeadlineExceeded],
  [Code.Canceled, Code.Canceled],
])

/**
 * Decides what leaves the process for whatever a handler threw. The handler's own ConnectError leaves as it is; a
 * peer's error leaves as `internal` unless it says that the peer did not answer; a journal that is away is `unavailable`, so that
 * callers try again; anything else is `internal`.
 */
export function recode(thrown: unknown): Recoded {
  if (thrown instanceof JournalUnavailableError) {
    const message = 'the journal is away: try again later'
    return { error: new ConnectError(message, Code.Unavailable, undefined, undefined, thrown), hidden: true }
  }
  if (!(thrown instanceof ConnectError)) {
    return {
      error: new ConnectError('internal error', Code.Internal, undefined, undefined, thrown),
      hidden: true,
    }
  }
  const peer = peers.get(thrown)
  if (peer === undefined && !thrown.isWireError) return { error: thrown, hidden: false }
  const code = keptCodes.get(thrown.code) ?? Code.Internal
  const callee = peer === undefined ? 'a callee' : `${peer.parent.typeName}/${peer.name}`
  const message = code === Code.Internal ? 'internal error' : `${callee} did not answer`
  return { error: new ConnectError(message, code, undefined, undefined, thrown), hidden: true }
}
