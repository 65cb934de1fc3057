/** How many tests a runner's output says passed, or undefined where it does not say so in a way that is known. For people only. */
export function testsTold(output: string): number | undefined {
  const counts = [
    ...output.matchAll(/^(?:# |ℹ )pass (\d+)$/gm),
    ...output.matchAll(/^\s*Tests?:?\s+(?:.*?)(\d+) passed/gm),
  ]
  return counts.length === 0 ? undefined : counts.reduce((total, match) => total + Number(match[1]), 0)
}
