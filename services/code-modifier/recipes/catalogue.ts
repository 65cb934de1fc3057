import type { RecipeInput, RecipeOutcome } from './outcome.ts'

/** A recipe as ListRecipes tells it. */
export interface Recipe {
  /** The class of intervention that it carries out. */
  readonly intervention: string
  readonly version: string
  readonly description: string
  /** When it refuses, each a clause that continues "where". */
  readonly refusals: readonly string[]
}

/** What runs a recipe; only the worker thread calls it, since it needs the compiler. */
export type RunRecipe = (input: RecipeInput) => RecipeOutcome

export const recipes: readonly Recipe[] = [
  {
    intervention: 'enable_caching',
    version: '1',
    description:
      'Keeps the results of the hottest top-level function that depends on its arguments only, in a bounded memo with a time to live. ' +
      'Parameters: max_entries (1000), ttl_ms (60000).',
    refusals: [
      'no CPU profile of the benchmark says what is hot, or nothing that is safe to cache takes 5 % of the busy time',
      'the function, or one that it reaches, reads the clock, chance, the network, files, the process, `this` or state that changes, or changes something that it did not make',
      'it calls code that cannot be looked into: a package, or a function that is stored as data',
      'an argument is not a text, number, boolean or bigint, so that it cannot be a key',
      'it is asynchronous, a generator, generic, overloaded or a type guard',
      'a caller changes what it gives, or may do so out of sight',
      'it is called while its module loads, or its module stands in a circle of imports',
      'it has its memo already',
    ],
  },
  {
    intervention: 'add_timeout',
    version: '1',
    description:
      'Gives the one awaited call that may wait for ever an AbortSignal that ends it. ' +
      'Parameter: timeout_ms; without it three times the p99 of the slowest benchmarked operation that reaches the call, at least 50 ms.',
    refusals: [
      'no awaited call takes an AbortSignal',
      'several calls lack a time-out, so that the choice is not clear',
      'the call has a time-out already',
      'it cannot be seen whether the options of the call have a signal',
      'the answer is read as a stream or handed on, so that a time-out would cut it while it flows',
      'neither timeout_ms nor a benchmark says how long is too long',
    ],
  },
]
