import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../platform/eventually.testing.ts'
import { packVectors, unitVector, unpackVectors, VectorIndex } from './vectors.ts'

const seed = 11
const of = (model: string, ...vectors: number[][]) =>
  packVectors({ model, vectors: vectors.map((vector) => unitVector(vector)) })

test('packed vectors are read back bit by bit, from any place in memory', () => {
  const packed = of('modèle', [3, 4], [-1, 0])
  const moved = new Uint8Array(packed.length + 3)
  moved.set(packed, 3)
  assert.deepEqual(unpackVectors(moved.subarray(3)), {
    model: 'modèle',
    vectors: [Float32Array.of(0.6, 0.8), Float32Array.of(-1, 0)],
  })
  assert.deepEqual(unpackVectors(of('')), { model: '', vectors: [] })
  assert.throws(() => unpackVectors(packed.subarray(0, -1)), RangeError)
})

test(`the nearest are those of a full sort (seed ${seed})`, async () => {
  const random = seededRandom(seed)
  const some = () => Array.from({ length: 8 }, () => random() - 0.5)
  const index = new VectorIndex(1e6)
  const all = new Map<string, Float32Array>()
  for (let number = 0; number < 200; number += 1) {
    const vectors = [some(), some(), some()]
    index.set(`d${number}`, of('m', ...vectors))
    vectors.forEach((vector, at) => void all.set(`d${number}#${at}`, unitVector(vector)))
  }
  const asked = unitVector(some())
  const cosines = [...all].map(([passageId, vector]) => ({
    passageId,
    cosine: vector.reduce((sum, value, at) => sum + value * (asked[at] as number), 0),
  }))
  const expected = cosines.toSorted((left, right) => right.cosine - left.cosine).slice(0, 10)
  assert.deepEqual(await index.nearest('m', asked, 10), expected)
})

test('vectors of another model or length, zeros, and opposite directions are not near', async () => {
  const index = new VectorIndex(1e6)
  index.set('other', of('other', [1, 0]))
  index.set('long', of('m', [1, 0, 0]))
  index.set('zero', of('m', [0, 0]))
  index.set('opposite', of('m', [-1, 0]))
  index.set('same', of('m', [2, 0]))
  assert.deepEqual(await index.nearest('m', Float32Array.of(1, 0), 5), [{ passageId: 'same#0', cosine: 1 }])
})

test('what is replaced or deleted frees its room, and what finds none is left out', async () => {
  const index = new VectorIndex(40)
  assert.equal(index.set('a', of('m', [1, 0])), true)
  const { bytes } = index
  assert.equal(index.set('a', of('m', [0, 1])), true)
  assert.equal(index.bytes, bytes)
  assert.equal(index.set('b', of('m', [1, 0], [1, 0], [1, 0])), false)
  assert.equal(index.leftOut, 1)
  index.delete('b')
  assert.equal(index.leftOut, 0)
  index.delete('a')
  index.delete('a')
  assert.equal(index.bytes, 0)
  assert.deepEqual(await index.nearest('m', Float32Array.of(1, 0), 5), [])
})
