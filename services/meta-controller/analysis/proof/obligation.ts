import { Script, Unprovable } from './script.ts'

export type Property =
  | 'deadline'
  | 'timeout inversion'
  | 'retry amplification'
  | 'concurrency'
  | 'rollout plan'
  | 'rollout burn'
  | 'rollback reachability'
  | 'quota'
  | 'risk gate'
  | 'policy bypass'
  | 'schedule'

/** What the solver gave for each name that the script declares; a Boolean is 1 or 0. */
export type Values = ReadonlyMap<string, number>

/**
 * Something to be proven before a change proceeds. `smt` is an SMT-LIB 2 script that asserts the contrary: `unsat` is the proof,
 * `sat` comes with a counterexample. It stands by itself, so that anyone can run it again: `z3 obligation.smt2`.
 */
export interface Obligation {
  readonly property: Property
  readonly name: string
  /** What holds when it is proven, in words. */
  readonly statement: string
  readonly smt: string
  /** The names whose values make up a counterexample. */
  readonly questions: readonly string[]
  /** The counterexample in words. */
  readonly explain: (values: Values) => string
  /** Why it cannot be put to a solver at all; the verdict is then "not proven" for this reason. */
  readonly refusal?: string
}

export interface Counterexample {
  readonly words: string
  readonly values: Readonly<Record<string, number>>
}

/** `refuted` has a counterexample, `not proven` a reason. Only `proven` lets a change proceed. */
export interface Verdict {
  readonly property: Property
  readonly name: string
  readonly statement: string
  readonly status: 'proven' | 'refuted' | 'not proven'
  readonly reason?: string
  readonly counterexample?: Counterexample
  /** The script that was run, as evidence. */
  readonly smt: string
  /** What the solver took. */
  readonly ms: number
}

export interface Claim {
  readonly property: Property
  readonly name: string
  readonly statement: string
}

/** Encodes a claim: `encode` asserts its contrary and gives the words for a counterexample. */
export function obligationOf(claim: Claim, encode: (script: Script) => Obligation['explain']): Obligation {
  const script = new Script()
  try {
    const explain = encode(script)
    return { ...claim, smt: script.text(claim), questions: script.names, explain }
  } catch (error) {
    if (!(error instanceof Unprovable)) throw error
    return { ...claim, smt: '', questions: [], explain: () => error.message, refusal: error.message }
  }
}

/** A value of the counterexample; 0 for a name that the solver left out because it does not matter. */
export function valueIn(values: Values, name: string): number {
  return values.get(name) ?? 0
}

/** A number as people read it: at most three decimals. */
export function shown(value: number): string {
  return String(Math.round(value * 1000) / 1000)
}
