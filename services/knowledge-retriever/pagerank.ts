import { rarity } from './bm25.ts'
import type { EntityNode, KnowledgeGraph, PassageNode } from './graph.ts'

type GraphNode = PassageNode | EntityNode

/** Where a random walk from the seeds is found. Values add up to at most 1. */
export interface WalkScores {
  readonly passages: ReadonlyMap<PassageNode, number>
  readonly entities: ReadonlyMap<EntityNode, number>
}

const teleport = 0.15
const epsilon = 2e-5
const titledBonus = 3
/** Far above what epsilon allows; a bound all the same. */
const maxPushes = 200_000

/**
 * Personalised PageRank by forward push (Andersen, Chung and Lang 2006). It touches the neighbourhood of the seeds only.
 * Seeds and neighbours are taken in the order of their names, so that equal graphs give equal floating-point results.
 */
export function walkFrom(graph: KnowledgeGraph, seeds: ReadonlyMap<GraphNode, number>): WalkScores {
  const settled = new Map<GraphNode, number>()
  const residual = new Map<GraphNode, number>()
  const queue: GraphNode[] = []
  const queued = new Set<GraphNode>()
  const give = (node: GraphNode, mass: number) => {
    const held = (residual.get(node) ?? 0) + mass
    residual.set(node, held)
    if (held <= epsilon * degreeOf(node) || queued.has(node)) return
    queued.add(node)
    queue.push(node)
  }
  for (const [node, mass] of orderedSeeds(seeds)) give(node, mass)
  for (let next = 0; next < queue.length && next < maxPushes; next += 1) {
    const node = queue[next] as GraphNode
    queued.delete(node)
    const mass = residual.get(node) ?? 0
    residual.set(node, 0)
    settled.set(node, (settled.get(node) ?? 0) + teleport * mass)
    push(graph, node, (1 - teleport) * mass, give)
  }
  return split(settled)
}

function isPassage(node: GraphNode): node is PassageNode {
  return 'ordinal' in node
}

function degreeOf(node: GraphNode): number {
  return isPassage(node) ? node.mentions.length : node.passages.size
}

/** All seeds' mass, scaled to 1, entities first, each kind by its name. */
function orderedSeeds(seeds: ReadonlyMap<GraphNode, number>): [GraphNode, number][] {
  const name = (node: GraphNode) => (isPassage(node) ? `p ${node.id}` : `e ${node.key}`)
  const ordered = [...seeds].sort(([left], [right]) => (name(left) < name(right) ? -1 : 1))
  let total = 0
  for (const [, mass] of ordered) total += mass
  return total === 0 ? [] : ordered.map(([node, mass]) => [node, mass / total])
}

function push(
  graph: KnowledgeGraph,
  node: GraphNode,
  mass: number,
  give: (node: GraphNode, mass: number) => void,
): void {
  const edges = isPassage(node) ? edgesOfPassage(graph, node) : edgesOfEntity(graph, node)
  let total = 0
  for (const [, weight] of edges) total += weight
  if (total === 0) return
  for (const [neighbour, weight] of edges) give(neighbour, (mass * weight) / total)
}

/** To its entities by weight and rarity; an entity that only this passage has leads nowhere. */
function edgesOfPassage(graph: KnowledgeGraph, passage: PassageNode): [GraphNode, number][] {
  const { passages } = graph.counts
  const edges: [GraphNode, number][] = []
  for (const { entity, weight } of passage.mentions) {
    if (entity.passages.size > 1) edges.push([entity, weight * rarity(entity.passages.size, passages)])
  }
  return edges
}

/** To its passages by weight, above all to those that are about it. */
function edgesOfEntity(graph: KnowledgeGraph, entity: EntityNode): [GraphNode, number][] {
  return graph.orderedPassages(entity).map((passage) => {
    const weight = entity.passages.get(passage.ordinal) ?? 0
    return [passage, entity.titled.has(passage.ordinal) ? weight * titledBonus : weight]
  })
}

function split(settled: ReadonlyMap<GraphNode, number>): WalkScores {
  const passages = new Map<PassageNode, number>()
  const entities = new Map<EntityNode, number>()
  for (const [node, mass] of settled) {
    if (isPassage(node)) passages.set(node, mass)
    else entities.set(node, mass)
  }
  return { passages, entities }
}
