import { type Random, seededRandom } from '../../services/platform/statistics/random.ts'
import type { Question } from './sets.ts'

/** What a ranking found of one question's gold, as shares from 0 to 1. */
export interface Recall {
  readonly id: string
  readonly at2: number
  readonly at5: number
}

/** A mean in percent with its 95 % bootstrap interval. */
export interface Estimate {
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** The share of MuSiQue's official development questions by the number of hops with which their ids begin. */
const officialHops: Readonly<Record<string, number>> = { '2hop': 0.518, '3hop': 0.314, '4hop': 0.168 }
const resamples = 1000
const bootstrapSeed = 20_261_122

/** The documents found, best first, each once although several of its passages are found. */
export function recallOf({ id, gold }: Question, found: readonly number[]): Recall {
  const ranked = [...new Set(found)]
  const at = (count: number) => {
    const best = new Set(ranked.slice(0, count))
    return gold.filter((index) => best.has(index)).length / (gold.length || 1)
  }
  return { id, at2: at(2), at5: at(5) }
}

/** Mean and interval of some recalls; where ids tell the hops, each kind of question has its official share. */
export function estimate(recalls: readonly Recall[], valueAt: (recall: Recall) => number): Estimate {
  const groups = groupsOf(recalls)
  const mean = (values: (group: readonly Recall[]) => readonly Recall[]) => {
    let sum = 0
    let shares = 0
    for (const { share, members } of groups) {
      const drawn = values(members)
      sum += (share * drawn.reduce((total, recall) => total + valueAt(recall), 0)) / drawn.length
      shares += share
    }
    return (100 * sum) / (shares || 1)
  }
  const random = seededRandom(bootstrapSeed)
  const means = Array.from({ length: resamples }, () => mean((group) => resampled(group, random)))
  means.sort((left, right) => left - right)
  return {
    mean: mean((group) => group),
    low: means[Math.floor(resamples * 0.025)] ?? 0,
    high: means[Math.floor(resamples * 0.975)] ?? 0,
  }
}

function groupsOf(recalls: readonly Recall[]): { share: number; members: Recall[] }[] {
  const byHops = new Map<string, Recall[]>()
  for (const recall of recalls) {
    const hops = /^\dhop/.exec(recall.id)?.[0] ?? ''
    byHops.set(hops, [...(byHops.get(hops) ?? []), recall])
  }
  return [...byHops].map(([hops, members]) => ({ share: officialHops[hops] ?? members.length, members }))
}

function resampled(group: readonly Recall[], random: Random): Recall[] {
  return group.map(() => group[Math.floor(random() * group.length)] as Recall)
}
