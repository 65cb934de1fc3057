import type { Rule } from 'eslint'
import type * as estree from 'estree'
import { literalOf, nameOf, reporting, sourceOf, walk } from './syntax.ts'

/** What shows that the author thought of `__proto__`: a check of the key, or an object without a prototype. */
const guard = /__proto__|hasOwn|Object\.create\(null\)|new Map\b|isSafeKey|isPlainKey/

/**
 * Writing to a member whose name comes from data, while walking down into an object: with the name `__proto__` it changes every
 * object of the process. Found where a function calls itself or walks by `target = target[key]`, and guards no key.
 */
export const prototypePollution: Rule.RuleModule = reporting((report, context) => {
  const check = (node: Rule.Node) => {
    const owner = node as unknown as estree.Function
    if (guard.test(sourceOf(context, node))) return
    const facts = factsOf(context, owner)
    if (!facts.walks && !facts.callsItself) return
    for (const write of facts.writes) {
      report(
        write,
        'the name of the member comes from data and may be __proto__: refuse that name, or use a Map',
      )
    }
  }
  return {
    ':function': check,
    AssignmentExpression: (node) => {
      const { left } = node
      if (left.type !== 'MemberExpression') return
      const name = left.computed ? literalOf(left.property) : nameOf(left)
      if (name === '__proto__') report(node, 'this changes the prototype of an object: leave it alone')
    },
    'CallExpression[callee.property.name="setPrototypeOf"]': (node: Rule.Node) =>
      report(node, 'this changes the prototype of an object: leave it alone'),
  }
})

interface Facts {
  readonly writes: estree.Node[]
  walks: boolean
  callsItself: boolean
}

function factsOf(context: Rule.RuleContext, owner: estree.Function): Facts {
  const facts: Facts = { writes: [], walks: false, callsItself: false }
  const counters = countersOf(context, owner)
  const own = ownName(owner)
  walk(context, owner.body, (node) => {
    if (node.type === 'CallExpression' && own !== undefined && nameOf(node.callee) === own)
      facts.callsItself = true
    if (node.type !== 'AssignmentExpression') return
    const { left, right } = node
    if (left.type === 'MemberExpression' && isDataKey(left, counters)) facts.writes.push(node)
    if (left.type === 'Identifier') facts.walks ||= stepsInto(context, right, left.name)
  })
  return facts
}

/** `target[key] ??= {}` or `(target[key] ??= {})` on the right of `target =`. */
function stepsInto(context: Rule.RuleContext, right: estree.Node, name: string): boolean {
  let found = false
  walk(context, right, (node) => {
    found ||= node.type === 'MemberExpression' && node.computed && nameOf(node.object) === name
  })
  return found
}

function isDataKey(member: estree.MemberExpression, counters: ReadonlySet<string>): boolean {
  if (!member.computed || literalOf(member.property) !== undefined) return false
  const { property } = member
  if (property.type === 'Literal' || property.type === 'BinaryExpression') return false
  return !(property.type === 'Identifier' && counters.has(property.name))
}

/** Variables that only count: they hold numbers, whatever the data. */
function countersOf(context: Rule.RuleContext, owner: estree.Function): ReadonlySet<string> {
  const names = new Set<string>()
  walk(context, owner.body, (node) => {
    if (node.type === 'UpdateExpression' && node.argument.type === 'Identifier') names.add(node.argument.name)
  })
  return names
}

function ownName(owner: estree.Function): string | undefined {
  if ('id' in owner && owner.id) return owner.id.name
  const { parent } = owner as unknown as Rule.Node
  return parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier' ? parent.id.name : undefined
}
