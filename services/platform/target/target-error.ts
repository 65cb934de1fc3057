/** What is wrong with a target's repository, as the one who must put it right can tell apart. */
export type TargetFault =
  | 'not-a-repository'
  | 'not-local'
  | 'unsupported'
  | 'no-branch'
  | 'uncommitted'
  | 'no-manifest'
  | 'diverged'
  | 'dependencies'
  | 'too-large'
  | 'moved'

/** A target cannot be used as it stands. The message names what is wrong and the remedy. */
export class TargetError extends Error {
  override readonly name = 'TargetError'
  readonly fault: TargetFault
  constructor(fault: TargetFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}
