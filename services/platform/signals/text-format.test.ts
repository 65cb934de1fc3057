import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { parseTextFormat, TextFormatError } from './text-format.ts'

const parse = (text: string) => parseTextFormat(text, 1_000)

test('names, labels, escapes, values, time stamps and comments are read as the format says', () => {
  const text = [
    '# HELP a Help with "quotes" and {braces} 1',
    '# TYPE a counter',
    '',
    'a 1',
    'a:b_total{} 2.5e-3',
    'a{x="1",y="two words"} +Inf',
    'a{x="a\\\\b\\"c\\nd",} -Inf 1700000000000',
    ' a { x = "}, {=" , y = "é😀" }\tNaN\t-5 ',
    'a{x=""} .5\r',
  ].join('\n')
  assert.deepEqual(parse(text), [
    { name: 'a', labels: {}, value: 1 },
    { name: 'a:b_total', labels: {}, value: 0.0025 },
    { name: 'a', labels: { x: '1', y: 'two words' }, value: Number.POSITIVE_INFINITY },
    { name: 'a', labels: { x: 'a\\b"c\nd' }, value: Number.NEGATIVE_INFINITY },
    { name: 'a', labels: { x: '}, {=', y: 'é😀' }, value: Number.NaN },
    { name: 'a', labels: { x: '' }, value: 0.5 },
  ])
})

test('what is not the format is refused with its line, and nothing of it is taken', () => {
  const refused: [string, RegExp][] = [
    ['a', /line 1: "" is not a number/],
    ['a 1\nb one', /line 2: "one" is not a number/],
    ['a 0x10', /"0x10" is not a number/],
    ['a 1 2 3', /more than a value and a time stamp/],
    ['a 1 2.5', /more than a value and a time stamp/],
    ['{a="1"} 1', /a metric name is missing/],
    ['a{1="1"} 1', /a label name is missing/],
    ['a{x} 1', /= is missing/],
    ['a{x=1} 1', /" is missing/],
    ['a{x="1} 1', /a label value does not end/],
    ['a{x="\\t"} 1', /\\t is not an escape/],
    ['a{x="1" y="2"} 1', /the labels do not end/],
    ['a{x="1",x="2"} 1', /label x is there twice/],
    ['a{x="1"', /the labels do not end/],
    ['<html>', /a metric name is missing/],
  ]
  for (const [text, reason] of refused) {
    assert.throws(
      () => parse(text),
      (error) => error instanceof TextFormatError && reason.test(error.message),
      text,
    )
  }
  assert.throws(() => parseTextFormat('a 1\nb 2\nc 3', 2), /more than 2 samples/)
})

test('a label by the name of a property of all objects is a label like others', () => {
  assert.equal(parse('a{constructor="x",toString="y"} 1')[0]?.labels.constructor, 'x')
})

test('what prom-client writes is read back', async () => {
  const registry = new Registry()
  const registers = [registry]
  new Counter({ name: 'c_total', help: 'h\nh', labelNames: ['l'], registers }).inc({ l: 'a"b\\c\nd' }, 3)
  new Gauge({ name: 'g', help: 'h', registers }).set(-0.25)
  new Histogram({ name: 'd', help: 'h', buckets: [1, 2.5], registers }).observe(2)
  assert.deepEqual(parse(await registry.metrics()), [
    { name: 'c_total', labels: { l: 'a"b\\c\nd' }, value: 3 },
    { name: 'g', labels: {}, value: -0.25 },
    { name: 'd_bucket', labels: { le: '1' }, value: 0 },
    { name: 'd_bucket', labels: { le: '2.5' }, value: 1 },
    { name: 'd_bucket', labels: { le: '+Inf' }, value: 1 },
    { name: 'd_sum', labels: {}, value: 2 },
    { name: 'd_count', labels: {}, value: 1 },
  ])
})
