import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FilterArchitecture, filterArchitecture, seccompJson, seccompProgram } from './seccomp.ts'
import { blockedCalls, guardedCalls } from './syscalls.ts'

const audit = { x64: 0xc000003e, arm64: 0xc00000b7 }
const allow = 'allow'

/** Runs a filter as the kernel does (seccomp.h, filter.h): the answer to one call. */
function answer(arch: FilterArchitecture, nr: number, args: readonly bigint[] = [], auditArch = audit[arch]) {
  const data = new DataView(new ArrayBuffer(64))
  data.setUint32(0, nr, true)
  data.setUint32(4, auditArch, true)
  for (const [index, arg] of args.entries()) data.setBigUint64(16 + 8 * index, arg, true)
  const program = seccompProgram(arch)
  const code = new DataView(program.buffer)
  let accumulator = 0
  for (let at = 0; at < program.length / 8; at += 1) {
    const [op, jt, jf] = [code.getUint16(at * 8, true), code.getUint8(at * 8 + 2), code.getUint8(at * 8 + 3)]
    const k = code.getUint32(at * 8 + 4, true)
    if (op === 0x06) return k === 0x7fff0000 ? allow : k === 0x80000000 ? 'kill' : `errno ${k & 0xffff}`
    if (op === 0x20) accumulator = data.getUint32(k, true)
    else if (op === 0x15) at += accumulator === k ? jt : jf
    else if (op === 0x35) at += accumulator >= k ? jt : jf
    else if (op === 0x45) at += (accumulator & k) !== 0 ? jt : jf
    else assert.fail(`an instruction that no filter needs: ${op}`)
  }
  return assert.fail('the filter ends without an answer')
}

for (const arch of ['x64', 'arm64'] as const) {
  const calls = guardedCalls[arch]

  test(`on ${arch} every blocked call is answered as the table says`, () => {
    for (const blocked of blockedCalls) {
      const number = blocked[arch]
      if (number === undefined) continue
      assert.equal(answer(arch, number), blocked.answer === 'EPERM' ? 'errno 1' : 'errno 38', blocked.name)
    }
  })

  test(`on ${arch} only local and internet sockets can be made, whatever the upper half of the argument says`, () => {
    for (let family = 0n; family < 50n; family += 1n) {
      const wanted = [1n, 2n, 10n].includes(family) ? allow : 'errno 97'
      assert.equal(answer(arch, calls.socket, [family]), wanted, `family ${family}`)
      assert.equal(answer(arch, calls.socketpair, [family]), wanted, `family ${family}`)
    }
    assert.equal(answer(arch, calls.socket, [0x1_0000_0028n]), 'errno 97')
  })

  test(`on ${arch} processes and threads can be made, but no namespaces`, () => {
    const fork = 0x01200011n
    const thread = 0x003d0f00n
    assert.equal(answer(arch, calls.clone, [fork]), allow)
    assert.equal(answer(arch, calls.clone, [thread]), allow)
    for (const flag of [
      0x80n,
      0x20000n,
      0x2000000n,
      0x4000000n,
      0x8000000n,
      0x10000000n,
      0x20000000n,
      0x40000000n,
    ]) {
      assert.equal(answer(arch, calls.clone, [fork | flag]), 'errno 1')
    }
  })

  test(`on ${arch} nothing can be typed into a terminal`, () => {
    assert.equal(answer(arch, calls.ioctl, [0n, 0x5401n]), allow)
    assert.equal(answer(arch, calls.ioctl, [0n, 0x5412n]), 'errno 1')
    assert.equal(answer(arch, calls.ioctl, [0n, 0xffff_ffff_0000_541cn]), 'errno 1')
  })
}

test('calls of another architecture end the process, those of x32 do not exist', () => {
  assert.equal(answer('x64', 1, [], 0x40000003), 'kill')
  assert.equal(answer('x64', 0x40000000 + 41, [1n]), 'errno 38')
  assert.equal(answer('x64', 1), allow)
})

test('the profile for Docker names the same calls', () => {
  const profile = JSON.parse(seccompJson())
  const whole = profile.syscalls.filter((rule: { args?: unknown }) => !rule.args)
  const names = whole.flatMap((rule: { names: string[] }) => rule.names).sort()
  assert.deepEqual(names, blockedCalls.map((blocked) => blocked.name).sort())
  assert.equal(profile.defaultAction, 'SCMP_ACT_ALLOW')
})

test('there is no filter for an architecture whose numbers are not known', () => {
  assert.equal(filterArchitecture('riscv64'), undefined)
})
