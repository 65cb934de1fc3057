/** Thrown while encoding where a plan holds what cannot be encoded; `obligationOf` makes it a refusal. */
export class Unprovable extends Error {
  override readonly name = 'Unprovable'
}

/** An SMT-LIB expression. */
export type Term = string

/** Above it a sum of a few hundred products could leave what a double holds exactly, and no budget of milliseconds is 34 years. */
const largest = 2 ** 40
/** Below it a figure is noise. */
const finest = 1e-12
const maxNames = 5000

/**
 * A figure of a plan as an exact rational: the decimal that a person wrote, not the double beside it. `what` names it in the refusal.
 * Throws Unprovable for NaN, infinities, negative figures, and those above 2^40 or, but for 0, below 10^-12.
 * Example: numeral(0.1, 'share') is '(/ 1.0 10.0)'.
 */
export function numeral(value: number, what: string): Term {
  if (!Number.isFinite(value)) throw new Unprovable(`${what} is ${value}: give a number`)
  if (value < 0) throw new Unprovable(`${what} is ${value}: it cannot be negative`)
  if (value > largest) throw new Unprovable(`${what} is ${value}: above 2^40 nothing is proven`)
  if (value > 0 && value < finest) throw new Unprovable(`${what} is ${value}: below 10^-12 nothing is proven`)
  const [mantissa = '0', exponent = '0'] = String(value).split('e')
  const [whole = '0', fraction = ''] = mantissa.split('.')
  const digits = BigInt(whole + fraction)
  const scale = fraction.length - Number(exponent)
  return scale > 0 ? `(/ ${digits}.0 ${10n ** BigInt(scale)}.0)` : `${digits * 10n ** BigInt(-scale)}.0`
}

/** A whole number of a plan, as a numeral of the sort Int. Throws Unprovable as `numeral` does. */
export function wholeNumeral(value: number, what: string): Term {
  numeral(value, what)
  if (!Number.isInteger(value)) throw new Unprovable(`${what} is ${value}: it has to be a whole number`)
  return String(BigInt(value))
}

export function sum(terms: readonly Term[]): Term {
  if (terms.length === 0) return '0.0'
  return terms.length === 1 ? (terms[0] as Term) : `(+ ${terms.join(' ')})`
}

export function times(factor: Term, term: Term): Term {
  return `(* ${factor} ${term})`
}

export function all(terms: readonly Term[]): Term {
  if (terms.length === 0) return 'true'
  return terms.length === 1 ? (terms[0] as Term) : `(and ${terms.join(' ')})`
}

export function any(terms: readonly Term[]): Term {
  if (terms.length === 0) return 'false'
  return terms.length === 1 ? (terms[0] as Term) : `(or ${terms.join(' ')})`
}

/** An SMT-LIB 2 script under way. Names are quoted symbols, so that a service's name may be read in the evidence. */
export class Script {
  readonly #lines: string[] = []
  readonly #names = new Map<string, Term>()

  get names(): readonly string[] {
    return [...this.#names.keys()]
  }

  /** A real that is not negative, and at most `most` where that is given. */
  real(name: string, most?: Term): Term {
    const symbol = this.#declare(name, 'Real')
    this.assert(`(>= ${symbol} 0.0)`)
    if (most !== undefined) this.assert(`(<= ${symbol} ${most})`)
    return symbol
  }

  /** A whole number within bounds. Throws Unprovable where nothing is: what follows from a contradiction is no proof. */
  whole(name: string, least: Term, most: Term): Term {
    if (BigInt(least) > BigInt(most))
      throw new Unprovable(`${name} is to be at least ${least} and at most ${most}`)
    const symbol = this.#declare(name, 'Int')
    this.assert(`(<= ${least} ${symbol} ${most})`)
    return symbol
  }

  truth(name: string): Term {
    return this.#declare(name, 'Bool')
  }

  /** The symbol of a name that was declared before. */
  symbol(name: string): Term | undefined {
    return this.#names.get(name)
  }

  assert(term: Term): void {
    this.#lines.push(`(assert ${term})`)
  }

  /** The whole script; the claim stands above it as a comment. */
  text(claim: { readonly name: string; readonly statement: string }): string {
    const heading = `; ${oneLine(claim.name)}: ${oneLine(claim.statement)}`
    return [heading, '; The contrary is asserted: unsat is the proof.', ...this.#lines, '(check-sat)'].join(
      '\n',
    )
  }

  #declare(name: string, sort: 'Real' | 'Int' | 'Bool'): Term {
    if (this.#names.size >= maxNames) {
      throw new Unprovable(`it takes more than ${maxNames} unknowns: prove it in smaller parts`)
    }
    if (this.#names.has(name)) throw new Unprovable(`two things are named "${name}": rename one`)
    const symbol = symbolOf(name)
    this.#names.set(name, symbol)
    this.#lines.push(`(declare-const ${symbol} ${sort})`)
    return symbol
  }
}

/** SMT-LIB's quoted symbols hold anything but bars and backslashes; the model reads lines, so no line breaks either. */
export function symbolOf(name: string): Term {
  if (/[|\\\p{Cc}]/u.test(name))
    throw new Unprovable(`"${oneLine(name)}" has a bar, backslash or control character`)
  return `|${name}|`
}

function oneLine(text: string): string {
  return text.replace(/\s+/gu, ' ')
}
