import { readFileSync, statSync } from 'node:fs'

/** The columns of a file of observations. */
export interface Observations {
  readonly treatment: readonly number[]
  readonly outcome: readonly number[]
  /** One list a row. */
  readonly covariates: readonly (readonly number[])[]
  readonly covariateNames: readonly string[]
  /** The true effect of each row, where the file has it (mu1 − mu0). */
  readonly effects?: readonly number[]
  /** Columns pre1…: outcomes before the treatment. */
  readonly controlOutcomes: readonly (readonly number[])[]
  /** Column e: the known probability of treatment. */
  readonly propensity?: readonly number[]
  /** Column block: rows that depend on each other. */
  readonly blocks?: readonly number[]
}

const covariateName = /^x\d+$/
const controlName = /^pre\d+$/
const known = new Set(['t', 'y', 'mu0', 'mu1', 'e', 'block'])
const maxBytes = 512 * 1024 * 1024

/** A file cannot be read as observations; the message says which line and column, and what is expected there. */
export class MalformedTableError extends Error {
  override readonly name = 'MalformedTableError'
}

/** The file's observations. Errors: MalformedTableError, which names the file, the line (the header is line 1) and the column. */
export function readObservations(file: string): Observations {
  const size = statSync(file, { throwIfNoEntry: false })?.size
  if (size === undefined) throw new MalformedTableError(`${file} is not there`)
  if (size > maxBytes) throw new MalformedTableError(`${file} is larger than ${maxBytes} bytes`)
  return parseObservations(readFileSync(file, 'utf8'), file)
}

export function parseObservations(text: string, file: string): Observations {
  const [header = '', ...lines] = text
    .replace(/^\uFEFF/, '')
    .trimEnd()
    .split(/\r?\n/)
  const names = header.split(',').map((name) => name.trim().replaceAll('"', ''))
  checkNames(names, file)
  const rows = lines.map((line, index) => numbersOf(line, names, `${file}, line ${index + 2}`))
  const column = (name: string) => {
    const place = names.indexOf(name)
    return place < 0 ? undefined : rows.map((row) => row[place]!)
  }
  const places = names.flatMap((name, place) => (covariateName.test(name) ? [place] : []))
  const [mu0, mu1] = [column('mu0'), column('mu1')]
  return {
    treatment: column('t')!,
    outcome: column('y')!,
    covariates: rows.map((row) => places.map((place) => row[place]!)),
    covariateNames: places.map((place) => names[place]!),
    effects: mu0 && mu1?.map((value, row) => value - mu0[row]!),
    controlOutcomes: names.filter((name) => controlName.test(name)).map((name) => column(name)!),
    propensity: column('e'),
    blocks: column('block'),
  }
}

function checkNames(names: readonly string[], file: string): void {
  const where = `${file}, line 1`
  names.forEach((name, place) => {
    if (!known.has(name) && !covariateName.test(name) && !controlName.test(name))
      throw new MalformedTableError(
        `${where}, column ${place + 1}: "${name}" is none of t, y, x1, x2, …, mu0, mu1, pre1, …, e, block`,
      )
    if (names.indexOf(name) !== place)
      throw new MalformedTableError(`${where}, column ${place + 1}: "${name}" is there twice`)
  })
  for (const name of ['t', 'y'])
    if (!names.includes(name)) throw new MalformedTableError(`${where}: there is no column ${name}`)
  if (names.includes('mu0') !== names.includes('mu1'))
    throw new MalformedTableError(`${where}: mu0 and mu1 come together or not at all`)
}

function numbersOf(line: string, names: readonly string[], where: string): number[] {
  const cells = line.split(',')
  if (cells.length !== names.length)
    throw new MalformedTableError(
      `${where}: ${cells.length} values where the header has ${names.length} columns`,
    )
  return cells.map((cell, place) => {
    const text = cell.trim()
    const value =
      text === 'True' || text === 'true' ? 1 : text === 'False' || text === 'false' ? 0 : Number(text)
    if (text === '' || !Number.isFinite(value))
      throw new MalformedTableError(
        `${where}, column ${place + 1} (${names[place]}): "${text}" is not a finite number`,
      )
    if (names[place] === 't' && value !== 0 && value !== 1)
      throw new MalformedTableError(`${where}, column ${place + 1} (t): "${text}" is neither 0 nor 1`)
    return value
  })
}
