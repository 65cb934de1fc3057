import type { Rule } from 'eslint'
import type * as estree from 'estree'
import { nameOf, reporting, sourceOf, walk } from './syntax.ts'

/** Names under which requests reach handlers. */
const requestName = /^(?:req|request|ctx|call|event|incoming)$/
/** Functions of `node:fs`, and of web frameworks, that open a path. */
const opener =
  /^(?:readFile|readFileSync|createReadStream|writeFile|writeFileSync|createWriteStream|appendFile|appendFileSync|open|openSync|unlink|unlinkSync|rm|rmSync|rmdir|stat|statSync|lstat|readdir|readdirSync|access|accessSync|exists|existsSync|copyFile|rename|mkdir|mkdirSync|sendFile|download|opendir)$/
/** What shows that the path is held inside of a folder. */
const guard =
  /startsWith\(|\.relative\(|basename\(|includes\((['"`])\.\.|indexOf\((['"`])\.\.|realpath|isInside|safeJoin|\^\[\\?[\w-]/

/** A path that is made from a request opens whatever the caller likes, `../../etc/passwd` too, unless something holds it inside. */
export const pathTraversal: Rule.RuleModule = reporting((report, context) => {
  const reported = new Set<estree.Node>()
  return {
    ':function': (node: Rule.Node) => {
      const owner = node as unknown as estree.Function
      if (guard.test(sourceOf(context, node))) return
      const tainted = taintedNames(context, owner)
      if (tainted.size === 0) return
      walk(context, owner.body, (inner) => {
        if (
          inner.type !== 'CallExpression' ||
          !opener.test(nameOf(inner.callee) ?? '') ||
          reported.has(inner)
        )
          return
        const [first] = inner.arguments
        if (!first || !mentions(context, first, tainted)) return
        reported.add(inner)
        report(
          inner,
          'the path comes from the request: resolve it and check that it stays inside of its folder',
        )
      })
    },
  }
})

/** The request, and the variables whose value was made from it. */
function taintedNames(context: Rule.RuleContext, owner: estree.Function): Set<string> {
  const tainted = new Set<string>()
  for (const parameter of owner.params) {
    if (parameter.type === 'Identifier' && requestName.test(parameter.name)) tainted.add(parameter.name)
  }
  if (tainted.size === 0) return tainted
  walk(context, owner.body, (node) => {
    if (node.type === 'VariableDeclarator' && node.init && mentions(context, node.init, tainted))
      addNames(context, node.id, tainted)
    if (node.type === 'AssignmentExpression' && mentions(context, node.right, tainted))
      addNames(context, node.left, tainted)
  })
  return tainted
}

function addNames(context: Rule.RuleContext, pattern: estree.Node, names: Set<string>): void {
  if (pattern.type === 'MemberExpression') return
  walk(context, pattern, (node) => {
    if (node.type === 'Identifier') names.add(node.name)
  })
}

function mentions(context: Rule.RuleContext, node: estree.Node, names: ReadonlySet<string>): boolean {
  let found = false
  walk(context, node, (inner) => {
    if (inner.type === 'Identifier' && names.has(inner.name)) found = true
  })
  return found
}
