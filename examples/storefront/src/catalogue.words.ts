/** The words from which one category's products are described. */
export interface CategoryWords {
  readonly category: string
  readonly prefix: string
  readonly kinds: readonly string[]
  readonly origins: readonly string[]
  readonly styles: readonly string[]
  readonly notes: readonly string[]
  readonly textures: readonly string[]
}

export const categoryWords: readonly CategoryWords[] = [
  {
    category: 'tea',
    prefix: 'TEA',
    kinds: ['Green Tea', 'Black Tea', 'Oolong', 'White Tea', 'Herbal Infusion'],
    origins: ['Darjeeling', 'Assam', 'Uji', 'Fujian', 'Nuwara Eliya', 'Malawi'],
    styles: ['Smoked', 'First Flush', 'Jasmine Scented', 'Hand Rolled', 'Loose Leaf', 'Roasted'],
    notes: [
      'muscatel',
      'chestnut',
      'sea spray',
      'apricot',
      'pine smoke',
      'malt',
      'orchid',
      'hay',
      'toasted rice',
    ],
    textures: ['light in the cup', 'with a brisk finish', 'soft and rounded', 'with gentle tannins'],
  },
  {
    category: 'coffee',
    prefix: 'COF',
    kinds: ['Espresso Beans', 'Filter Coffee', 'Cold Brew Blend', 'Whole Beans'],
    origins: ['Sidamo', 'Huila', 'Antigua', 'Sumatra', 'Kirinyaga', 'Cerrado'],
    styles: ['Washed', 'Natural', 'Honey Processed', 'Dark Roasted', 'Medium Roasted', 'Shade Grown'],
    notes: [
      'blueberry',
      'hazelnut',
      'dark chocolate',
      'orange zest',
      'caramel',
      'cedar',
      'red apple',
      'malt',
      'plum',
    ],
    textures: ['full in body', 'with bright acidity', 'syrupy and sweet', 'with a clean finish'],
  },
  {
    category: 'chocolate',
    prefix: 'CHO',
    kinds: ['Chocolate Bar', 'Truffles', 'Drinking Chocolate', 'Pralines'],
    origins: ['Madagascar', 'Piura', 'Esmeraldas', 'Tabasco', 'Modica', 'Bahia'],
    styles: ['Stone Ground', 'Single Estate', 'Sea Salted', 'Bean to Bar', 'Extra Dark', 'Milk'],
    notes: [
      'red berries',
      'hazelnut',
      'caramel',
      'tobacco',
      'orange zest',
      'vanilla',
      'raisin',
      'roasted almond',
    ],
    textures: ['with a slow melt', 'crisp at the snap', 'slightly grainy', 'smooth and dense'],
  },
  {
    category: 'oil',
    prefix: 'OIL',
    kinds: ['Olive Oil', 'Walnut Oil', 'Pumpkin Seed Oil', 'Chilli Oil'],
    origins: ['Kalamata', 'Jaen', 'Puglia', 'Styria', 'Provence', 'Istria'],
    styles: ['Cold Pressed', 'Unfiltered', 'Early Harvest', 'Stone Pressed', 'Infused', 'Organic'],
    notes: [
      'cut grass',
      'artichoke',
      'green almond',
      'tomato leaf',
      'pepper',
      'toasted walnut',
      'lemon',
      'thyme',
    ],
    textures: ['with a peppery finish', 'soft and buttery', 'thick and green', 'light in the mouth'],
  },
  {
    category: 'spice',
    prefix: 'SPI',
    kinds: ['Peppercorns', 'Saffron', 'Smoked Paprika', 'Cardamom', 'Curry Powder'],
    origins: ['Kerala', 'Kampot', 'La Vera', 'La Mancha', 'Zanzibar', 'Kashmir'],
    styles: ['Whole', 'Sun Dried', 'Freshly Ground', 'Hand Picked', 'Wild', 'Fermented'],
    notes: ['citrus peel', 'pine smoke', 'eucalyptus', 'dried flowers', 'earth', 'mint', 'pepper', 'camphor'],
    textures: ['fierce at first', 'warm and lasting', 'with a dry heat', 'fragrant more than hot'],
  },
  {
    category: 'honey',
    prefix: 'HON',
    kinds: ['Honey', 'Comb Honey', 'Creamed Honey', 'Honey with Nuts'],
    origins: ['Tasmania', 'Crete', 'Provence', 'Transylvania', 'Yucatan', 'Black Forest'],
    styles: ['Raw', 'Lavender', 'Chestnut', 'Acacia', 'Forest', 'Wildflower'],
    notes: ['thyme', 'dried flowers', 'caramel', 'malt', 'resin', 'citrus peel', 'vanilla', 'hay'],
    textures: ['runny and clear', 'set and spreadable', 'thick as fudge', 'with a grainy edge'],
  },
  {
    category: 'pasta',
    prefix: 'PAS',
    kinds: ['Spaghetti', 'Rigatoni', 'Orecchiette', 'Tagliatelle', 'Soba'],
    origins: ['Gragnano', 'Puglia', 'Emilia', 'Nagano', 'Sicily', 'Abruzzo'],
    styles: ['Bronze Drawn', 'Slow Dried', 'Egg', 'Wholewheat', 'Hand Cut', 'Organic'],
    notes: ['durum wheat', 'toasted grain', 'buckwheat', 'butter', 'hay', 'almond', 'spinach', 'egg yolk'],
    textures: ['rough enough to hold a sauce', 'firm to the bite', 'silky when cooked', 'quick to cook'],
  },
  {
    category: 'cheese',
    prefix: 'CHE',
    kinds: ['Hard Cheese', 'Blue Cheese', 'Soft Cheese', 'Goat Cheese', 'Sheep Cheese'],
    origins: ['Savoy', 'Emilia', 'Somerset', 'Asturias', 'Appenzell', 'La Mancha'],
    styles: ['Raw Milk', 'Cave Aged', 'Ash Coated', 'Washed Rind', 'Young', 'Smoked'],
    notes: ['hazelnut', 'butter', 'mushroom', 'hay', 'caramel', 'cellar stone', 'lemon', 'roast onion'],
    textures: [
      'with a crumbling heart',
      'runny at room temperature',
      'firm and crystalline',
      'creamy to the rind',
    ],
  },
]

export const makers: readonly string[] = [
  'made in small batches by a family that has done nothing else for three generations',
  'gathered by a cooperative of forty growers and packed the same week',
  'bought from one producer, whose name is on every pack',
  'selected at origin by our own buyers after tasting the whole harvest',
  'made to an old recipe that the village keeps to itself',
]

export const occasions: readonly string[] = [
  'For a slow breakfast or for guests who stay late.',
  'Good on its own, better shared after a long walk.',
  'A present that does not stay in its box for long.',
  'At its best in simple cooking, where little hides it.',
  'Keep it for the evening when nothing else is planned.',
]

export const closings: readonly string[] = [
  'Store it cool and dry, and use it within a month of opening.',
  'Packed in recycled card without plastic, and sealed for its journey.',
  'Every batch differs a little, as things do that are grown and not built.',
  'The producer is paid on delivery and at a price agreed before the season.',
]
