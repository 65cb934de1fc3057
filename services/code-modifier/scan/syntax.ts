import type { Rule } from 'eslint'
import type * as estree from 'estree'

type Report = (node: estree.Node | Rule.Node, message: string) => void

/** A rule of which only the listeners differ. */
export function reporting(
  listeners: (report: Report, context: Rule.RuleContext) => Rule.RuleListener,
): Rule.RuleModule {
  return {
    meta: { type: 'problem', schema: [] },
    create: (context) =>
      listeners((node, message) => context.report({ node: node as estree.Node, message }), context),
  }
}

/** `f` for `f` and `x.f`. */
export function nameOf(node: estree.Node): string | undefined {
  if (node.type === 'Identifier') return node.name
  if (node.type === 'MemberExpression' && node.property.type === 'Identifier') return node.property.name
  return undefined
}

/** The text of a literal, or of a template without holes. */
export function literalOf(node: estree.Node): string | undefined {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined
  if (node.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? undefined
  return undefined
}

export function sourceOf(context: Rule.RuleContext, node: estree.Node | Rule.Node): string {
  return context.sourceCode.getText(node as estree.Node)
}

/** Calls `visit` with every node below `node`, itself included. */
export function walk(context: Rule.RuleContext, node: estree.Node, visit: (node: estree.Node) => void): void {
  visit(node)
  const children = node as unknown as Record<string, unknown>
  for (const key of context.sourceCode.visitorKeys[node.type] ?? []) {
    const child = children[key]
    for (const one of Array.isArray(child) ? child : [child]) if (isNode(one)) walk(context, one, visit)
  }
}

function isNode(value: unknown): value is estree.Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}
