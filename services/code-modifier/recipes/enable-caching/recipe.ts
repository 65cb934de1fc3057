import { z } from 'zod'
import { type RecipeInput, type RecipeOutcome, refuse, refuseParameters } from '../outcome.ts'
import { lineOf, openProgram, pathOf } from '../program/program.ts'
import { References } from '../program/symbols.ts'
import { isCached, objection } from './candidates.ts'
import { readProfiles } from './cpu-profile.ts'
import { type CacheSize, cacheFunction } from './edit.ts'
import { type HotFunction, hotFunctions } from './shares.ts'
import type { View } from './view.ts'

export const enableCachingId = 'enable_caching@1'

const minShare = 0.05
const minSamples = 50
const maxExamined = 200
const maxTold = 5

const parametersSchema = z.strictObject({
  max_entries: z.number().int().min(1).max(1_000_000).default(1_000),
  ttl_ms: z
    .number()
    .int()
    .min(1)
    .max(7 * 24 * 3_600_000)
    .default(60_000),
})

/** Keeps the results of the hottest function for which that can be shown to be safe. */
export function enableCaching(input: RecipeInput): RecipeOutcome {
  const parameters = parametersSchema.safeParse(input.parameters)
  if (!parameters.success) return refuseParameters('enable_caching', parameters.error.issues)
  if (input.profiles.length === 0) {
    return refuse(
      'without a CPU profile of the benchmark it cannot be known what is hot: give the target a benchmark command',
    )
  }
  const profile = readProfiles(input.profiles)
  if (profile.samples < minSamples) {
    return refuse(
      `the CPU profile has ${profile.samples} busy samples, fewer than ${minSamples}: measure for longer`,
    )
  }
  const target = openProgram(input)
  const view: View = { ...target, references: new References(target) }
  const hot = hotFunctions(view, profile)
  if (hot.length === 0) return refuse('the CPU profile saw no top-level function of the sources')
  const size = { maxEntries: parameters.data.max_entries, ttlMs: parameters.data.ttl_ms }
  return cacheHottest(view, hot, size, input.sources)
}

function cacheHottest(
  view: View,
  hot: readonly HotFunction[],
  size: CacheSize,
  sources: readonly string[],
): RecipeOutcome {
  const objections: string[] = []
  for (const fn of hot.slice(0, maxExamined)) {
    const isHot = fn.share >= minShare
    if (isCached(view, fn)) {
      if (isHot)
        return refuse(`already cached: ${fn.name}, the hottest function that is safe to cache, has its memo`)
      continue
    }
    const against = objection(view, fn)
    if (against === undefined)
      return isHot ? change(view, fn, size, sources) : refuse(nothingHot(fn, objections))
    if (isHot) objections.push(`${fn.name} (${percent(fn.share)}) ${against}`)
  }
  return refuse(nothingHot(undefined, objections))
}

function change(view: View, fn: HotFunction, size: CacheSize, sources: readonly string[]): RecipeOutcome {
  const files = cacheFunction(view, fn, size, sources)
  if (typeof files === 'string') return refuse(`${fn.name} could be cached, but ${files}`)
  const place = { path: pathOf(view, fn.node.getSourceFile()), line: lineOf(fn.node), name: fn.name }
  return {
    kind: 'change',
    files,
    summary:
      `Keep up to ${size.maxEntries} results of ${fn.name} for ${size.ttlMs} ms each: it takes ${percent(fn.share)} of the busy time, ` +
      'depends on its arguments only, and nobody changes what it gives.',
    authorDetail: enableCachingId,
    place,
    profileShare: fn.share,
  }
}

function nothingHot(hottest: HotFunction | undefined, objections: readonly string[]): string {
  const safe = hottest
    ? `the hottest safe function is ${hottest.name} with ${percent(hottest.share)}`
    : 'no function of the sources that the profile saw is safe'
  if (objections.length === 0) return `nothing that is safe to cache is hot: ${safe}`
  const more = objections.length > maxTold ? `; and ${objections.length - maxTold} more` : ''
  return `nothing that is safe to cache is hot: ${safe}, and hotter ones were refused because ${objections.slice(0, maxTold).join('; ')}${more}`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
