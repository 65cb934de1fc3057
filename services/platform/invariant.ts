/** Throws when `condition` is false: the code is wrong, not the input. The message names what was assumed. */
export function invariant(condition: unknown, assumption: string): asserts condition {
  if (!condition) throw new InvariantError(assumption)
}

/** A bug. It is never caught to be handled; at the edge it becomes `internal` and the cause goes to the log. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}
