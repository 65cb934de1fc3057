import {
  type Answer,
  allowedSocketFamilies,
  blockedCalls,
  blockedIoctls,
  guardedCalls,
  namespaceFlags,
} from './syscalls.ts'

/** One profile in two outputs: classic BPF for `bwrap --seccomp`, and JSON for the Docker Engine. */
export type FilterArchitecture = keyof typeof guardedCalls

/** The architecture of this process, if the filter knows its call numbers. */
export function filterArchitecture(arch: string = process.arch): FilterArchitecture | undefined {
  return arch === 'x64' || arch === 'arm64' ? arch : undefined
}

const errno: Record<Answer | 'EAFNOSUPPORT', number> = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 }
const auditArch: Record<FilterArchitecture, number> = { x64: 0xc000003e, arm64: 0xc00000b7 }
const allow = 0x7fff0000
const killProcess = 0x80000000
/** On x86-64 the numbers from here on are the x32 calls, a second door to the same kernel. */
const firstX32Call = 0x40000000

interface Instruction {
  readonly code: number
  readonly jumpTrue: number
  readonly jumpFalse: number
  readonly value: number
}

// The few instructions of classic BPF that a filter needs; offsets are those of struct seccomp_data (seccomp.h).
const load = (offset: number): Instruction => ({ code: 0x20, jumpTrue: 0, jumpFalse: 0, value: offset })
const loadCall = load(0)
const loadArchitecture = load(4)
const loadArgument = (index: number): Instruction => load(16 + 8 * index)
const give = (value: number): Instruction => ({ code: 0x06, jumpTrue: 0, jumpFalse: 0, value })
const refuse = (error: keyof typeof errno): Instruction => give(0x00050000 | errno[error])
/** Goes on with the next instruction when equal, else skips `skip` of them. */
const unlessEqualSkip = (value: number, skip: number): Instruction => ({
  code: 0x15,
  jumpTrue: 0,
  jumpFalse: skip,
  value,
})
const unlessAtLeastSkip = (value: number, skip: number): Instruction => ({
  code: 0x35,
  jumpTrue: 0,
  jumpFalse: skip,
  value,
})
const unlessAnyBitSkip = (value: number, skip: number): Instruction => ({
  code: 0x45,
  jumpTrue: 0,
  jumpFalse: skip,
  value,
})

/** The filter as an array of struct sock_filter, little-endian, eight bytes each. */
export function seccompProgram(arch: FilterArchitecture): Uint8Array {
  const instructions: Instruction[] = [
    loadArchitecture,
    { ...unlessEqualSkip(auditArch[arch], 0), jumpTrue: 1 },
    give(killProcess),
    loadCall,
  ]
  if (arch === 'x64') instructions.push(unlessAtLeastSkip(firstX32Call, 1), refuse('ENOSYS'))
  for (const blocked of blockedCalls) {
    const number = blocked[arch]
    if (number !== undefined) instructions.push(unlessEqualSkip(number, 1), refuse(blocked.answer))
  }
  for (const [number, body] of guards(arch)) instructions.push(unlessEqualSkip(number, body.length), ...body)
  instructions.push(give(allow))
  return encode(instructions)
}

/**
 * Per guarded call the instructions that decide it; each ends in a verdict, because the accumulator then holds an
 * argument.
 */
function guards(arch: FilterArchitecture): readonly (readonly [number, readonly Instruction[]])[] {
  const calls = guardedCalls[arch]
  const families = [
    loadArgument(0),
    ...allowedSocketFamilies.flatMap((family) => [unlessEqualSkip(family, 1), give(allow)]),
    refuse('EAFNOSUPPORT'),
  ]
  const anyNamespace = namespaceFlags.reduce((all, flag) => all | flag, 0) >>> 0
  return [
    [calls.socket, families],
    [calls.socketpair, families],
    [calls.clone, [loadArgument(0), unlessAnyBitSkip(anyNamespace, 1), refuse('EPERM'), give(allow)]],
    [
      calls.ioctl,
      [
        loadArgument(1),
        ...blockedIoctls.flatMap((request) => [unlessEqualSkip(request, 1), refuse('EPERM')]),
        give(allow),
      ],
    ],
  ]
}

function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(instructions.length * 8))
  for (const [index, instruction] of instructions.entries()) {
    bytes.setUint16(index * 8, instruction.code, true)
    bytes.setUint8(index * 8 + 2, instruction.jumpTrue)
    bytes.setUint8(index * 8 + 3, instruction.jumpFalse)
    bytes.setUint32(index * 8 + 4, instruction.value >>> 0, true)
  }
  return new Uint8Array(bytes.buffer)
}

/** The same profile for `SecurityOpt: ['seccomp=…']`. */
export function seccompJson(): string {
  const low32 = 0xffffffff
  const highestAllowed = Math.max(...allowedSocketFamilies)
  const otherFamilies = Array.from({ length: highestAllowed }, (_, family) => family).filter(
    (family) => !(allowedSocketFamilies as readonly number[]).includes(family),
  )
  const sockets = ['socket', 'socketpair']
  return JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    archMap: [
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: [] },
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: [] },
    ],
    syscalls: [
      ...(['EPERM', 'ENOSYS'] as const).map((answer) => ({
        names: blockedCalls.filter((blocked) => blocked.answer === answer).map((blocked) => blocked.name),
        ...refusal(answer),
      })),
      ...otherFamilies.map((family) => only(sockets, 'EAFNOSUPPORT', 0, 'SCMP_CMP_EQ', family)),
      only(sockets, 'EAFNOSUPPORT', 0, 'SCMP_CMP_GT', highestAllowed),
      ...namespaceFlags.map((flag) => only(['clone'], 'EPERM', 0, 'SCMP_CMP_MASKED_EQ', flag, flag)),
      ...blockedIoctls.map((request) => only(['ioctl'], 'EPERM', 1, 'SCMP_CMP_MASKED_EQ', low32, request)),
    ],
  })
}

function refusal(error: keyof typeof errno): object {
  return { action: 'SCMP_ACT_ERRNO', errnoRet: errno[error] }
}

/** A rule that refuses the calls only where one argument compares; `op` and its values are libseccomp's. */
function only(
  names: readonly string[],
  error: keyof typeof errno,
  index: number,
  op: string,
  value: number,
  valueTwo = 0,
): object {
  return { names, ...refusal(error), args: [{ index, op, value, valueTwo }] }
}
