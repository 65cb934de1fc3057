import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js'

let done = false

/** Stops grpc-js from writing to standard error by itself: what it has to say arrives as errors. GRPC_VERBOSITY brings it back. */
export function quietGrpc(): void {
  if (done || process.env.GRPC_VERBOSITY !== undefined) return
  done = true
  setLogVerbosity(logVerbosity.NONE)
}
