import { findProduct, type Product, products } from './catalogue.ts'

export interface Similar {
  readonly sku: string
  /** Likeness from 0 to 1. */
  readonly score: number
}

/** How much a word tells: the logarithm of how many products share it. Written once, since the catalogue does not change. */
const rarityByWord: ReadonlyMap<string, number> = weighWords()

const viewsBySku = new Map<string, number>()

/**
 * The products that read most like this one: cosine similarity of the words of their names and descriptions, rare words
 * weighing more; the most alike first, equals by number. A product that the catalogue does not have is like no other.
 */
export function similarProducts(sku: string, limit: number): readonly Similar[] {
  const wanted = findProduct(sku)
  if (wanted === undefined) return []
  const wantedWords = wordsOf(wanted)
  return products
    .filter((product) => product.sku !== sku)
    .map((product) => ({ sku: product.sku, score: similarity(wantedWords, wordsOf(product)) }))
    .toSorted((a, b) => b.score - a.score || a.sku.localeCompare(b.sku))
    .slice(0, limit)
}

/** Counts one more view of a product and gives its views so far. */
export function recordView(sku: string): number {
  const views = (viewsBySku.get(sku) ?? 0) + 1
  viewsBySku.set(sku, views)
  return views
}

/** The products that were viewed most since the start, equals by number. */
export function mostViewed(limit: number): readonly string[] {
  return [...viewsBySku]
    .toSorted(([skuA, viewsA], [skuB, viewsB]) => viewsB - viewsA || skuA.localeCompare(skuB))
    .slice(0, limit)
    .map(([sku]) => sku)
}

function wordsOf(product: Product): ReadonlySet<string> {
  const text = `${product.name} ${product.category} ${product.description}`
  const words = text.toLowerCase().match(/[a-z]+/g) ?? []
  return new Set(words.filter((word) => word.length > 2).map(stem))
}

/** Takes off the commonest English endings, so that "roasted" meets "roast". */
function stem(word: string): string {
  return word.replace(/(?:ies|ing|ed|es|s)$/, '')
}

/** Cosine of two sets of words, each word weighing its rarity. */
function similarity(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const shared = weight([...a].filter((word) => b.has(word)))
  return shared === 0 ? 0 : shared / Math.sqrt(weight([...a]) * weight([...b]))
}

function weight(words: readonly string[]): number {
  return words.reduce((sum, word) => sum + (rarityByWord.get(word) ?? 0) ** 2, 0)
}

function weighWords(): Map<string, number> {
  const productsByWord = new Map<string, number>()
  for (const word of products.flatMap((product) => [...wordsOf(product)])) {
    productsByWord.set(word, (productsByWord.get(word) ?? 0) + 1)
  }
  return new Map([...productsByWord].map(([word, count]) => [word, Math.log(products.length / count)]))
}
