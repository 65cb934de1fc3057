import type { Rule } from 'eslint'
import type * as estree from 'estree'
import { pathTraversal } from './rule.path-traversal.ts'
import { prototypePollution } from './rule.prototype-pollution.ts'
import { literalOf, nameOf, reporting } from './syntax.ts'

const evaluate = reporting((report) => ({
  Identifier: (node) => {
    if (node.name === 'eval' && !isMemberName(node))
      report(node, 'eval runs text as code: write the code instead')
  },
  'MemberExpression[property.name="eval"]': (node: Rule.Node) =>
    report(node, 'eval runs text as code: write the code instead'),
  ':matches(CallExpression, NewExpression)[callee.name="Function"]': (node: Rule.Node) =>
    report(node, 'Function(…) runs text as code: write the code instead'),
  'CallExpression[callee.property.name="constructor"][callee.object.property.name="constructor"]': (
    node: Rule.Node,
  ) => report(node, 'constructor.constructor(…) runs text as code'),
  CallExpression: (node) => {
    const name = nameOf(node.callee)
    const [first] = node.arguments
    if (!/^(?:setTimeout|setInterval|setImmediate)$/.test(name ?? '') || !first) return
    const isText = literalOf(first) !== undefined || first.type === 'TemplateLiteral'
    if (isText) report(node, `${name} with a text runs it as code: pass a function`)
  },
}))

const module = (names: readonly string[], message: string) =>
  reporting((report) => {
    const check = (node: estree.Node, source: unknown) => {
      if (typeof source === 'string' && names.includes(source.replace(/^node:/, ''))) report(node, message)
    }
    return {
      ImportDeclaration: (node) => check(node, node.source.value),
      ExportNamedDeclaration: (node) => check(node, node.source?.value),
      ExportAllDeclaration: (node) => check(node, node.source.value),
      ImportExpression: (node) => check(node, literalOf(node.source)),
      CallExpression: (node) => {
        const callee = nameOf(node.callee)
        if (callee === 'require' || callee === 'getBuiltinModule')
          check(node, node.arguments[0] && literalOf(node.arguments[0]))
      },
    }
  })

/** Each call of what was imported from child_process, so that a new call is seen in a file that has others. */
const childProcessCall = reporting((report) => {
  const names = new Set<string>()
  return {
    ImportDeclaration: (node) => {
      if (!/^(?:node:)?child_process$/.test(String(node.source.value))) return
      for (const specifier of node.specifiers) names.add(specifier.local.name)
    },
    VariableDeclarator: (node) => {
      const source =
        node.init?.type === 'CallExpression' && nameOf(node.init.callee) === 'require'
          ? node.init.arguments[0]
          : undefined
      if (!source || !/^(?:node:)?child_process$/.test(String(literalOf(source)))) return
      if (node.id.type === 'Identifier') names.add(node.id.name)
      if (node.id.type !== 'ObjectPattern') return
      for (const property of node.id.properties) {
        if (property.type === 'Property' && property.value.type === 'Identifier')
          names.add(property.value.name)
      }
    },
    CallExpression: (node) => {
      const callee = node.callee.type === 'MemberExpression' ? node.callee.object : node.callee
      if (callee.type === 'Identifier' && names.has(callee.name))
        report(node, 'this starts a process: a change may not')
    },
  }
})

const nativeCode = reporting((report) => ({
  'MemberExpression[object.name="process"][property.name=/^(?:binding|_linkedBinding|dlopen|kill|abort|setuid|setgid)$/]':
    (node: Rule.Node) => report(node, 'this reaches below JavaScript or ends processes: a change may not'),
}))

const dynamicImport = reporting((report) => ({
  ImportExpression: (node) => {
    if (literalOf(node.source) === undefined)
      report(node, 'what is imported is only known at run time: name the module')
  },
  'CallExpression[callee.name="require"]': (node: Rule.Node) => {
    const [first] = (node as unknown as estree.SimpleCallExpression).arguments
    if (!first || literalOf(first) === undefined)
      report(node, 'what is required is only known at run time: name the module')
  },
}))

const isEnvironment = (node: estree.Node | undefined): boolean =>
  node?.type === 'MemberExpression' && nameOf(node.object) === 'process' && propertyOf(node) === 'env'

/** One variable by its name: a note, since what a service reads of its surroundings is worth knowing. */
const environmentRead = reporting((report) => ({
  MemberExpression: (node) => {
    const name = isEnvironment(node.object) ? propertyOf(node) : undefined
    if (name !== undefined) report(node, `this reads the environment variable ${name}`)
  },
  VariableDeclarator: (node) => {
    if (node.id.type !== 'ObjectPattern' || !isEnvironment(node.init ?? undefined)) return
    for (const property of node.id.properties) {
      if (property.type === 'Property') report(property, 'this reads an environment variable')
    }
  },
}))

/** All of the environment, or a variable that is only known at run time: secrets lie there. */
const environmentTaken = reporting((report) => ({
  MemberExpression: (node) => {
    if (!isEnvironment(node)) return
    const { parent } = node
    const isNamed =
      parent.type === 'MemberExpression' && parent.object === node && propertyOf(parent) !== undefined
    const isPicked =
      parent.type === 'VariableDeclarator' &&
      parent.id.type === 'ObjectPattern' &&
      parent.id.properties.every((property) => property.type === 'Property' && !property.computed)
    if (!isNamed && !isPicked)
      report(node, 'this takes the whole environment, secrets included: read the variables by their names')
  },
  'ImportDeclaration[source.value=/^(?:node:)?process$/]': (node: Rule.Node) =>
    report(node, 'process under another name hides what is read of it: use the global'),
}))

const tlsDisabled = reporting((report) => ({
  Property: (node) => {
    const name = node.key.type === 'Identifier' ? node.key.name : String(literalOf(node.key))
    const value = node.value.type === 'Literal' ? node.value.value : undefined
    if (/^(?:rejectUnauthorized|strictSSL|verifySsl)$/.test(name) && (value === false || value === 0)) {
      report(node, `${name}: ${value} accepts any certificate: leave it out`)
    }
    if (name === 'checkServerIdentity')
      report(node, 'checkServerIdentity replaces the check of the host name: leave it out')
    if (/^(?:min|max)Version$/.test(name) && /^(?:TLSv1|TLSv1\.1|SSLv\d)$/.test(String(value)))
      report(node, `${value} is broken: use TLSv1.2 or above`)
    if (name === 'secureProtocol') report(node, 'secureProtocol pins an old protocol: leave it out')
  },
  'Literal[value="NODE_TLS_REJECT_UNAUTHORIZED"], Identifier[name="NODE_TLS_REJECT_UNAUTHORIZED"]': (
    node: Rule.Node,
  ) => report(node, 'this turns the check of certificates off'),
}))

function isMemberName(node: Rule.Node | estree.Node): boolean {
  const { parent } = node as Rule.Node
  if (parent?.type === 'MemberExpression') return parent.property === node && !parent.computed
  return parent?.type === 'Property' && parent.key === node && !parent.computed && !parent.shorthand
}

/** The name of a member, when it is known: `a.b` and `a['b']` have `b`. */
function propertyOf(node: estree.Node): string | undefined {
  if (node.type !== 'MemberExpression') return undefined
  if (!node.computed) return node.property.type === 'Identifier' ? node.property.name : undefined
  return literalOf(node.property)
}

/** Rules of our own, as an ESLint plugin; the names are those of the findings. */
export const ownRules: Readonly<Record<string, Rule.RuleModule>> = {
  eval: evaluate,
  vm: module(
    ['vm', 'worker_threads', 'inspector', 'repl', 'module', 'cluster'],
    'this module runs code from elsewhere: a change may not use it',
  ),
  'child-process': module(['child_process'], 'this module starts processes: a change may not use it'),
  'child-process-call': childProcessCall,
  'native-code': nativeCode,
  'dynamic-import': dynamicImport,
  'environment-read': environmentRead,
  'environment-taken': environmentTaken,
  'tls-disabled': tlsDisabled,
  'prototype-pollution': prototypePollution,
  'path-traversal': pathTraversal,
}
