import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

/** A function on the stack, as V8 names it. Line and column count from 0. */
export interface Frame {
  readonly functionName: string
  /** The file's absolute path; empty for what is not a file (native code, `(idle)`). */
  readonly path: string
  readonly line: number
  readonly column: number
}

/** Who was on the stack for how long. */
export interface CpuProfile {
  /** Time that the thread spent on anything but waiting, in µs. */
  readonly busyUs: number
  readonly samples: number
  /** Each distinct stack with the time it was seen, the innermost frame first. */
  readonly stacks: readonly { readonly frames: readonly Frame[]; readonly us: number }[]
}

/** Thrown for a file that is not a CPU profile; the message names it. */
export class CpuProfileError extends Error {
  override readonly name = 'CpuProfileError'
}

const maxProfileBytes = 128 * 2 ** 20
const maxDepth = 10_000

const callFrameSchema = z.object({
  functionName: z.string(),
  url: z.string(),
  lineNumber: z.number().int(),
  columnNumber: z.number().int(),
})

const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number().int(),
      callFrame: callFrameSchema,
      children: z.array(z.number().int()).optional(),
    }),
  ),
  samples: z.array(z.number().int()),
  timeDeltas: z.array(z.number()),
})

type ProfileNodes = z.infer<typeof profileSchema>['nodes']

/** Reads profiles as `node --cpu-prof` writes them and adds them up. Errors: CpuProfileError. */
export function readProfiles(files: readonly string[]): CpuProfile {
  const profiles = files.map(readProfile)
  return {
    busyUs: profiles.reduce((sum, { busyUs }) => sum + busyUs, 0),
    samples: profiles.reduce((sum, { samples }) => sum + samples, 0),
    stacks: profiles.flatMap(({ stacks }) => stacks),
  }
}

function readProfile(file: string): CpuProfile {
  if (statSync(file).size > maxProfileBytes) {
    throw new CpuProfileError(`${file} is larger than ${maxProfileBytes} bytes: measure for less long`)
  }
  try {
    return addUp(profileSchema.parse(JSON.parse(readFileSync(file, 'utf8'))))
  } catch (error) {
    throw new CpuProfileError(`${file} is not a CPU profile: ${(error as Error).message}`, { cause: error })
  }
}

/** The time between two samples belongs to the stack that the first of them saw; the profile lists it with that one. */
function addUp({ nodes, samples, timeDeltas }: z.infer<typeof profileSchema>): CpuProfile {
  const usByNode = new Map<number, number>()
  samples.forEach((id, index) => {
    usByNode.set(id, (usByNode.get(id) ?? 0) + Math.max(0, timeDeltas[index] ?? 0))
  })
  const stackOf = stacksOf(nodes)
  const stacks = [...usByNode]
    .map(([id, us]) => ({ frames: stackOf(id), us }))
    .filter(({ frames }) => isBusy(frames))
  const isIdle = new Set(
    nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id),
  )
  return {
    busyUs: stacks.reduce((sum, { us }) => sum + us, 0),
    samples: samples.filter((id) => !isIdle.has(id)).length,
    stacks,
  }
}

function isBusy(frames: readonly Frame[]): boolean {
  return frames[0]?.functionName !== '(idle)'
}

function stacksOf(nodes: ProfileNodes): (id: number) => Frame[] {
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  )
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, frameOf(callFrame)]))
  return (id) => {
    const stack: Frame[] = []
    for (let at: number | undefined = id; at !== undefined && stack.length < maxDepth; at = parents.get(at)) {
      const frame = frames.get(at)
      if (frame) stack.push(frame)
    }
    return stack
  }
}

function frameOf({ functionName, url, lineNumber, columnNumber }: z.infer<typeof callFrameSchema>): Frame {
  return { functionName, path: pathOf(url), line: lineNumber, column: columnNumber }
}

function pathOf(url: string): string {
  if (!url.startsWith('file:')) return url.startsWith('/') ? url : ''
  try {
    return fileURLToPath(url)
  } catch {
    return ''
  }
}
