// Runs a TypeScript entry point on Node 24 or newer, setting the project up first if it is not.
// It is plain JavaScript on purpose: it is the one file that an older Node has to understand.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, lstatSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const neededMajor = 24

if (!isInstalled()) install()
const child = spawn(findNode(), ['--disable-warning=ExperimentalWarning', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, FORCE_COLOR: process.env.FORCE_COLOR ?? (process.stdout.isTTY ? '1' : '0') },
})
// The terminal sends Ctrl-C to the whole group; a plain `kill` reaches this process only, so it is passed on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
process.on('SIGINT', () => {})
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 128 + constants.signals[signal] : (code ?? 1)
})

function isInstalled() {
  const installed = path.join(root, 'node_modules', '.package-lock.json')
  const wanted = path.join(root, 'package-lock.json')
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs
}

function install() {
  const packages = path.join(root, 'node_modules')
  // `npm ci` would empty the folder that the link leads to, which another copy of the project uses.
  if (lstatSync(packages, { throwIfNoEntry: false })?.isSymbolicLink()) {
    process.stderr.write(
      `nexus: ${packages} is a link to a folder whose packages are not those of package-lock.json: remove the link and run the same command again\n`,
    )
    process.exit(1)
  }
  process.stderr.write('nexus: installing the packages of package-lock.json (once)\n')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const result = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (result.status === 0) return
  process.stderr.write('nexus: `npm ci` failed; see its message above, then run the same command again\n')
  process.exit(1)
}

function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= neededMajor) return process.execPath
  const require = createRequire(path.join(root, 'package.json'))
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  try {
    return path.join(
      path.dirname(require.resolve(`${name}/package.json`)),
      'bin',
      process.platform === 'win32' ? 'node.exe' : 'node',
    )
  } catch {
    process.stderr.write(
      `nexus: Node ${neededMajor} or newer is needed, this is ${process.version}, and there is no npm package ` +
        `${name} to take one from: install Node ${neededMajor} and run the command again\n`,
    )
    process.exit(1)
  }
}
