import { type CategoryWords, categoryWords, closings, makers, occasions } from './catalogue.words.ts'
import { seededRandom } from './random.ts'

export interface Product {
  readonly sku: string
  readonly name: string
  readonly category: string
  readonly description: string
  /** In cents, before any sale. */
  readonly listPriceCents: number
}

const productsPerCategory = 120
const catalogueSeed = 20_251

/** Every product of this release, by category. The catalogue changes with a release only, never while the service runs. */
export const products: readonly Product[] = Object.freeze(printCatalogue())

const productsBySku: ReadonlyMap<string, Product> = new Map(products.map((product) => [product.sku, product]))

/** The product with this number, or undefined where the catalogue has none. */
export function findProduct(sku: string): Product | undefined {
  return productsBySku.get(sku)
}

/** Writes the catalogue that the shop is shown with: the same products at every start. */
function printCatalogue(): Product[] {
  const random = seededRandom(catalogueSeed)
  return categoryWords.flatMap((words) =>
    Array.from({ length: productsPerCategory }, (_, index) => printProduct(words, index + 1, random)),
  )
}

function printProduct(words: CategoryWords, number: number, random: () => number): Product {
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)] as string
  const [kind, origin, style] = [pick(words.kinds), pick(words.origins), pick(words.styles)]
  const [first, second, third] = [pick(words.notes), pick(words.notes), pick(words.notes)]
  return Object.freeze({
    sku: `${words.prefix}-${String(number).padStart(4, '0')}`,
    name: `${origin} ${style} ${kind}`,
    category: words.category,
    description:
      `${style} ${kind} from ${origin}, ${pick(makers)}. ` +
      `Notes of ${first}, ${second} and ${third}, ${pick(words.textures)}. ` +
      `${pick(occasions)} ${pick(closings)}`,
    listPriceCents: 290 + 10 * Math.floor(random() * 260),
  })
}
