/** A word of a call in a test program: a number, or a text whose address is meant. */
export type Word = number | bigint | string

const loadAddress = 0x400000n
const headerBytes = 0x78
/** mov rax|rdi|rsi|rdx|r10|r8|r9, imm64 in the order of a system call on x86-64. */
const moves = [
  [0x48, 0xb8],
  [0x48, 0xbf],
  [0x48, 0xbe],
  [0x48, 0xba],
  [0x49, 0xba],
  [0x49, 0xb8],
  [0x49, 0xb9],
]

/**
 * A Linux program for x86-64 of a few hundred bytes that makes one system call and ends with its errno as exit code
 * (0: the call succeeded). It lets tests make calls that Node has no function for, without a compiler.
 */
export function callProgram(...words: readonly Word[]): Uint8Array {
  const syscall = [0x0f, 0x05]
  // neg eax; js (success: a positive result turns negative) → exit 0; otherwise exit with errno.
  const end = [0xf7, 0xd8, 0x79, 0x02, 0x31, 0xc0, 0x89, 0xc7, 0xb8, 60, 0, 0, 0, ...syscall]
  const codeBytes = words.length * 10 + syscall.length + end.length
  const texts: number[] = []
  const code = words.flatMap((word, index) => {
    const value = typeof word === 'string' ? addressOf(codeBytes + texts.length) : BigInt(word)
    if (typeof word === 'string') texts.push(...Buffer.from(`${word}\0`))
    return [...moves[index]!, ...quad(value)]
  })
  return elf([...code, ...syscall, ...end, ...texts])
}

/** A program that doubles itself `rounds` times over and then waits: at most 2^rounds processes, if nothing stops it. */
export function forkBomb(rounds: number): Uint8Array {
  const round = [0xb8, 57, 0, 0, 0, 0x0f, 0x05] // mov eax, SYS_fork; syscall
  const wait = [0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7] // SYS_pause, for ever
  return elf([...Array.from({ length: rounds }, () => round).flat(), ...wait])
}

function addressOf(offset: number): bigint {
  return loadAddress + BigInt(headerBytes + offset)
}

function quad(value: bigint): number[] {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
  return [...bytes]
}

/** One header, one loaded segment, nothing else (elf(5)). */
function elf(code: readonly number[]): Uint8Array {
  const file = Buffer.alloc(headerBytes + code.length)
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], 0)
  file.writeUInt16LE(2, 16) // ET_EXEC
  file.writeUInt16LE(62, 18) // EM_X86_64
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(addressOf(0), 24)
  file.writeBigUInt64LE(64n, 32)
  file.writeUInt16LE(64, 52)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  file.writeUInt32LE(1, 64) // PT_LOAD
  file.writeUInt32LE(5, 68) // read, execute
  file.writeBigUInt64LE(loadAddress, 80)
  file.writeBigUInt64LE(loadAddress, 88)
  file.writeBigUInt64LE(BigInt(file.length), 96)
  file.writeBigUInt64LE(BigInt(file.length), 104)
  file.writeBigUInt64LE(0x1000n, 112)
  file.set(code, headerBytes)
  return file
}
