import type { EntityKey } from './entities.ts'

/** How a passage has an entity, from the weakest: inside a longer name, by its name, in its title, titled by an alias, titled by it. */
export const inside = 0
export const named = 1
export const inTitle = 2
export const titledByAlias = 3
export const titled = 4

/** How surely a passage that has an entity in that way is about it. */
export const mentionWeights: readonly number[] = [0.35, 1, 1, 1, 1]
/** How surely the entity's name stands for that passage. */
export const titleWeights: readonly number[] = [0, 0, 0, 0.7, 1]

const kindBits = 3
const kindMask = 7

/** An edge of the graph as a number: the passage's ordinal and the kind. */
export function edgeOf(ordinal: number, kind: number): number {
  return (ordinal << kindBits) | kind
}

/** The passage's ordinal. */
export function passageOf(edge: number): number {
  return edge >>> kindBits
}

export function kindOf(edge: number): number {
  return edge & kindMask
}

/** An entity, which is a node of the graph. */
export interface EntityNode {
  /** Its place in the arrays of a query; reused when the last passage has given it up. */
  readonly number: number
  readonly key: EntityKey
  /** Its edges to the passages that mention it, in no order. */
  readonly passages: number[]
  /** Those of the edges that are to passages whose title or alias it is. */
  readonly titled: number[]
  /** Those of the edges that are to passages in whose longer title it stands. */
  readonly inTitles: number[]
}

/** The entities by key and by number, with their edges to passages. */
export class EntityIndex {
  readonly #byKey = new Map<EntityKey, EntityNode>()
  readonly #byNumber: (EntityNode | undefined)[] = []
  readonly #free: number[] = []
  #edgeCount = 0

  get(key: EntityKey): EntityNode | undefined {
    return this.#byKey.get(key)
  }

  at(number: number): EntityNode {
    return this.#byNumber[number] as EntityNode
  }

  /** Entities have numbers below this. */
  get capacity(): number {
    return this.#byNumber.length
  }

  get count(): number {
    return this.#byKey.size
  }

  get edgeCount(): number {
    return this.#edgeCount
  }

  /** Adds an edge to an entity by key, which begins with it if need be, or by number; gives the entity's number. */
  link(which: EntityKey | number, ordinal: number, kind: number): number {
    const entity = typeof which === 'number' ? this.at(which) : this.#taken(which)
    entity.passages.push(edgeOf(ordinal, kind))
    if (kind >= titledByAlias) entity.titled.push(edgeOf(ordinal, kind))
    else if (kind === inTitle) entity.inTitles.push(edgeOf(ordinal, kind))
    this.#edgeCount += 1
    return entity.number
  }

  #taken(key: EntityKey): EntityNode {
    let entity = this.#byKey.get(key)
    if (entity === undefined) {
      entity = {
        number: this.#free.pop() ?? this.#byNumber.length,
        key,
        passages: [],
        titled: [],
        inTitles: [],
      }
      this.#byKey.set(key, entity)
      this.#byNumber[entity.number] = entity
    }
    return entity
  }

  /** Takes the edge to a passage away, and the entity with its last edge. */
  unlink(number: number, ordinal: number): void {
    const entity = this.at(number)
    dropEdge(entity.passages, ordinal)
    dropEdge(entity.titled, ordinal)
    dropEdge(entity.inTitles, ordinal)
    this.#edgeCount -= 1
    if (entity.passages.length > 0) return
    this.#byKey.delete(entity.key)
    this.#byNumber[number] = undefined
    this.#free.push(number)
  }
}

function dropEdge(edges: number[], ordinal: number): void {
  const at = edges.findIndex((edge) => passageOf(edge) === ordinal)
  if (at < 0) return
  edges[at] = edges.at(-1) as number
  edges.pop()
}
