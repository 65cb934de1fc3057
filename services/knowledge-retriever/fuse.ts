import type { KnowledgeGraph, PassageNode } from './graph.ts'
import type { Found } from './retrieve.ts'
import type { NearPassage } from './vectors.ts'

/** The first so many by words and names, and by vectors, are put together. */
export const fusedCandidates = 60
/** What the order by vectors counts; the order by words and names counts the rest. Chosen by judgement, not measured. */
const vectorShare = 0.3
/** The larger, the less the first places stand out. */
const flatness = 10

/**
 * Orders what words and names have found anew by how near a model takes it to be to the question, with what only the model
 * has found: the convex mix of the reciprocal ranks, (1 − v) / (10 + rank by words and names) + v / (10 + rank by vectors) with
 * v = 0.3 (Cormack, Clarke and Büttcher 2009). Ranks, because the scores of the two have no common scale. What one of them has
 * not found gets nothing from it. Passages that are gone by now are left out.
 */
export function fuse(
  graph: KnowledgeGraph,
  found: readonly Found[],
  near: readonly NearPassage[],
  limit: number,
): Found[] {
  const scores = new Map<string, number>()
  const add = (ids: readonly string[], share: number) => {
    for (const [rank, id] of ids.entries()) {
      scores.set(id, (scores.get(id) ?? 0) + share / (flatness + rank + 1))
    }
  }
  add(
    found.map(({ passage }) => passage.id),
    1 - vectorShare,
  )
  add(
    near.map(({ passageId }) => passageId),
    vectorShare,
  )
  const byId = new Map<string, Found>(found.map((one) => [one.passage.id, one]))
  const more = new Set(near.map(({ passageId }) => passageId).filter((id) => !byId.has(id)))
  for (const passage of passagesOf(graph, more)) byId.set(passage.id, { passage, score: 0, entities: [] })
  return [...byId.values()]
    .map((one) => ({ ...one, score: scores.get(one.passage.id) as number }))
    .sort((left, right) => right.score - left.score || (left.passage.id < right.passage.id ? -1 : 1))
    .slice(0, limit)
}

function passagesOf(graph: KnowledgeGraph, ids: ReadonlySet<string>): PassageNode[] {
  const passages: PassageNode[] = []
  for (let ordinal = 0; ordinal < graph.capacity && passages.length < ids.size; ordinal += 1) {
    const passage: PassageNode | undefined = graph.passage(ordinal)
    if (passage !== undefined && ids.has(passage.id)) passages.push(passage)
  }
  return passages
}
