import ts from 'typescript'

/**
 * What a member of the language's own library does. `pure`: the result depends on the receiver and the arguments only. `changes`: it changes its
 * receiver. `changes argument`: it changes its first argument. `varies`: the result depends on something else, such as the clock.
 * What is not listed is not known, and so not safe.
 */
export type Effect = 'pure' | 'changes' | 'changes argument' | 'varies'

const listReads =
  'at concat entries every filter find findIndex findLast findLastIndex flat flatMap forEach includes indexOf join keys lastIndexOf length map ' +
  'reduce reduceRight slice some toLocaleString toReversed toSorted toSpliced toString values with'
const listChanges = 'push pop shift unshift splice sort reverse fill copyWithin'
const typedReads = `${listReads} buffer byteLength byteOffset subarray`
const typedChanges = 'set fill sort reverse copyWithin'
const iteratorReads = 'toArray map filter take drop flatMap reduce forEach some every find'
const setReads =
  'has size entries keys values forEach union intersection difference symmetricDifference isSubsetOf isSupersetOf isDisjointFrom'

interface Members {
  /** True: all members but the others listed here. */
  readonly pure: string | true
  readonly changes?: string
  readonly changesArgument?: string
  readonly varies?: string
}

const typedArray: Members = { pure: typedReads, changes: typedChanges }
const iterator: Members = { pure: iteratorReads, changes: 'next return' }

const membersByOwner: Readonly<Record<string, Members>> = {
  Math: { pure: true, varies: 'random' },
  JSON: { pure: true },
  String: { pure: true },
  StringConstructor: { pure: true },
  Number: { pure: true },
  NumberConstructor: { pure: true },
  Boolean: { pure: true },
  BigInt: { pure: true },
  BigIntConstructor: { pure: true },
  Array: { pure: listReads, changes: listChanges },
  ReadonlyArray: { pure: listReads },
  ArrayConstructor: { pure: 'from of isArray' },
  Map: { pure: 'get has size entries keys values forEach', changes: 'set delete clear' },
  ReadonlyMap: { pure: 'get has size entries keys values forEach' },
  MapConstructor: { pure: 'groupBy' },
  Set: { pure: setReads, changes: 'add delete clear' },
  ReadonlySet: { pure: setReads },
  WeakMap: { pure: 'get has', changes: 'set delete' },
  WeakSet: { pure: 'has', changes: 'add delete' },
  ObjectConstructor: {
    pure: 'keys values entries fromEntries is hasOwn getOwnPropertyNames groupBy isFrozen create',
    changesArgument: 'freeze assign seal preventExtensions defineProperty defineProperties setPrototypeOf',
  },
  Object: { pure: 'hasOwnProperty toString valueOf propertyIsEnumerable isPrototypeOf' },
  RegExp: { pure: 'toString source flags global sticky ignoreCase multiline unicode', changes: 'exec test' },
  Error: { pure: 'message name cause' },
  Date: {
    pure: 'getTime valueOf toISOString toJSON getUTC*',
    changes: 'setTime setUTC*',
    varies: 'get* to*',
  },
  DateConstructor: { pure: 'UTC', varies: 'now parse' },
  CallableFunction: { pure: 'call apply bind' },
  Function: { pure: 'length name' },
  Iterator: iterator,
  IteratorObject: iterator,
  ArrayBuffer: { pure: 'byteLength slice' },
  DataView: { pure: 'get* byteLength', changes: 'set*' },
  Collator: { pure: 'compare' },
  NumberFormat: { pure: 'format formatToParts' },
  PluralRules: { pure: 'select' },
  ListFormat: { pure: 'format formatToParts' },
  Segmenter: { pure: 'segment' },
  ...Object.fromEntries(
    [
      'Int8Array',
      'Uint8Array',
      'Uint8ClampedArray',
      'Int16Array',
      'Uint16Array',
      'Int32Array',
      'Uint32Array',
      'Float32Array',
      'Float64Array',
      'BigInt64Array',
      'BigUint64Array',
    ].flatMap((name) => [
      [name, typedArray],
      [`${name}Constructor`, { pure: 'from of BYTES_PER_ELEMENT' }],
    ]),
  ),
}

/** Functions that are called by their bare name. */
const pureFunctions = new Set(
  'parseInt parseFloat isNaN isFinite encodeURIComponent decodeURIComponent encodeURI decodeURI String Number Boolean BigInt Array Object'.split(
    ' ',
  ),
)

const pureConstructors = new Set(
  (
    'Array Object Map Set WeakMap WeakSet RegExp Error TypeError RangeError SyntaxError EvalError URIError String Number Boolean ArrayBuffer DataView ' +
    'Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array BigInt64Array BigUint64Array ' +
    'Intl.Collator Intl.NumberFormat Intl.PluralRules Intl.ListFormat Intl.Segmenter'
  ).split(' '),
)

/** Names that may stand for themselves, as in `values.map(String)` or `Math.max(a, b)`. */
const namespaces = new Set([
  'Math',
  'JSON',
  'Intl',
  'Symbol',
  'NaN',
  'Infinity',
  'undefined',
  'Date',
  'RegExp',
  'Iterator',
])

/** What calling or reading `member` of the library's type `owner` does; undefined where that is not known. */
export function effectOfMember(owner: string, member: string): Effect | undefined {
  const members = membersByOwner[owner]
  if (!members) return undefined
  if (lists(members.changesArgument, member)) return 'changes argument'
  if (lists(members.changes, member)) return 'changes'
  if (members.pure === true) return lists(members.varies, member) ? 'varies' : 'pure'
  if (lists(members.pure, member)) return 'pure'
  return lists(members.varies, member) ? 'varies' : undefined
}

export function isPureFunction(name: string): boolean {
  return pureFunctions.has(name)
}

/** `new Date()` reads the clock, with several arguments the time zone, and with one neither. */
export function isPureConstructor(name: string, argumentCount: number): boolean {
  return pureConstructors.has(name) || (name === 'Date' && argumentCount === 1)
}

/** A name of the library that may be mentioned without being called. */
export function isKnownName(name: string): boolean {
  return namespaces.has(name) || pureFunctions.has(name) || pureConstructors.has(name)
}

/** The library's type that declares a member, such as `ReadonlyArray`; undefined for what the library does not declare. */
export function libraryOwner(program: ts.Program, symbol: ts.Symbol): string | undefined {
  const owners = (symbol.declarations ?? []).map((declaration) => {
    if (!program.isSourceFileDefaultLibrary(declaration.getSourceFile())) return undefined
    return ts.isInterfaceDeclaration(declaration.parent) || ts.isClassDeclaration(declaration.parent)
      ? declaration.parent.name?.text
      : undefined
  })
  // A member that anyone else declares as well is not the library's alone.
  return owners.every((owner) => owner !== undefined) ? owners[0] : undefined
}

function lists(names: string | undefined, member: string): boolean {
  return (names ?? '')
    .split(' ')
    .some((name) => name === member || (name.endsWith('*') && member.startsWith(name.slice(0, -1))))
}
