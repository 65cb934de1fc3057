import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import type Docker from 'dockerode'
import { create } from 'tar'

/**
 * The image that programs run in, made from this very process: its Node, the libraries that it has loaded and the rest of
 * their C library. It comes from no registry. Its name tells its content, so it is made once per Node.
 */
export async function ensureImage(docker: Docker, stagingParent: string): Promise<string> {
  const parts = imageParts()
  const digest = createHash('sha256')
    .update(JSON.stringify([layoutVersion, parts]))
    .digest('hex')
  const name = `nexus-sandbox:${digest.slice(0, 16)}`
  const known = await docker
    .getImage(name)
    .inspect()
    .catch(() => undefined)
  if (known) return name
  const staging = path.join(stagingParent, 'image')
  try {
    await stage(staging, parts)
    const archive = create({ cwd: staging, portable: true }, ['.']) as unknown as Readable
    const [repo, tag] = name.split(':')
    const progress = await docker.importImage(archive as unknown as NodeJS.ReadableStream as never, {
      repo,
      tag,
    })
    await drain(progress)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return name
}

/** Changes when the layout below does, so that an older image is not taken for this one. */
const layoutVersion = 1
const mountPoints = ['scratch', 'proc', 'dev', 'sys', 'etc', 'workspace']
/** Parts of the C library that programs and native addons load later than Node itself does. */
const laterLibraries = ['librt.so.1', 'libresolv.so.2', 'libutil.so.1', 'libdl.so.2', 'libpthread.so.0']
const moreLaterLibraries = ['libm.so.6', 'libnss_files.so.2', 'libnss_dns.so.2', 'libanl.so.1']

interface Part {
  readonly source: string
  readonly size: number
}

/**
 * Node and its libraries as files of this host. Errors: where this process is not a Linux program with shared
 * libraries.
 */
function imageParts(): readonly Part[] {
  const loaded = new Set(
    readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .map((line) => line.slice(line.indexOf('/')))
      .filter((file) => /^\/.*\.so(\.[\d.]+)?$/.test(file)),
  )
  const libc = [...loaded].find((file) => path.basename(file) === 'libc.so.6')
  if (!libc) throw new Error('this Node does not use the GNU C library, of which the image is made')
  for (const name of [...laterLibraries, ...moreLaterLibraries]) {
    const file = path.join(path.dirname(libc), name)
    if (existsSync(file)) loaded.add(file)
  }
  return [process.execPath, ...[...loaded].sort()].map((source) => ({ source, size: statSync(source).size }))
}

async function stage(folder: string, parts: readonly Part[]): Promise<void> {
  const libraries = path.join(folder, 'usr', 'lib')
  await mkdir(libraries, { recursive: true })
  await mkdir(path.join(folder, 'nexus', 'bin'), { recursive: true })
  for (const name of mountPoints) await mkdir(path.join(folder, name))
  // The loader of any distribution looks in one of these.
  for (const place of ['lib', 'lib64']) await symlink('usr/lib', path.join(folder, place))
  await symlink('lib', path.join(folder, 'usr', 'lib64'))
  await symlink('scratch', path.join(folder, 'tmp'))
  const [node, ...rest] = parts
  if (node) await copyFile(node.source, path.join(folder, 'nexus', 'bin', 'node'))
  for (const { source } of rest) {
    const file = path.basename(source)
    await copyFile(source, path.join(libraries, file))
    // libstdc++.so.6.0.30 is asked for as libstdc++.so.6.
    const asked = file.replace(/(\.so\.\d+)[\d.]*$/, '$1')
    if (asked !== file) await symlink(file, path.join(libraries, asked))
  }
  await writeFile(path.join(folder, 'etc', 'passwd'), 'root:x:0:0::/scratch:/nologin\n')
  await writeFile(path.join(folder, 'etc', 'group'), 'root:x:0:\n')
  await writeFile(path.join(folder, 'etc', 'nsswitch.conf'), 'hosts: files\n')
}

async function drain(stream: NodeJS.ReadableStream): Promise<void> {
  for await (const _ of stream);
}
