import type ts from 'typescript'
import { placeOf, type TargetProgram } from '../program/program.ts'
import type { References } from '../program/symbols.ts'

/** What the examiners share: the program and who names what in it. */
export interface View extends TargetProgram {
  readonly references: References
}

/** Why a piece of code cannot be shown to depend on its arguments only, or to leave the rest alone. */
export interface Obstacle {
  /** What the code does there, as in "reads the clock". */
  readonly what: string
  readonly node: ts.Node
  /** The value differs from run to run, but nothing else is touched: bearable where it is taken once. */
  readonly varies?: boolean
}

/** The obstacle with its place, for people: "reads the clock (src/prices.ts:17)". One that was told with its own place keeps that. */
export function tell(view: View, { what, node }: Obstacle): string {
  return what.endsWith(')') ? what : `${what} (${placeOf(view, node)})`
}

/** Code as it is written, on one line and not too long. */
export function quote(node: ts.Node): string {
  const text = node.getText().replace(/\s+/g, ' ')
  return `\`${text.length > 60 ? `${text.slice(0, 57)}…` : text}\``
}
