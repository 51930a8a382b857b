import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { findNode, inRoot, nodePackageFolder, projectEnvironment, requireNode, run, say, stop } from './project.mjs'
import { missingTools, provideTools } from './tools.mjs'

/**
 * Brings node_modules in line with the lock, doing nothing when it already is. Two steps: unpack without install
 * scripts, then compile the one add-on that needs it with the Node (and headers) that was just unpacked.
 */
export function installDependencies() {
  if (!matchesLock()) {
    say('Installing the dependencies of the lock file …')
    npm(['ci', '--ignore-scripts'])
  }
  requireNode()
  if (!terminalAddonReady()) {
    if (process.platform === 'linux') provideTools(missingTools('compile'), { required: true })
    say('Compiling the terminal add-on …')
    npm(['rebuild', 'node-pty'])
    if (!terminalAddonReady())
      stop('node-pty was not built; see the output of: npm rebuild node-pty --foreground-scripts')
  }
}

/** True if what npm noted as installed is what the lock asks for, apart from optional packages of other platforms. */
export function matchesLock() {
  const installed = packagesOf(inRoot('node_modules', '.package-lock.json'))
  const locked = packagesOf(inRoot('package-lock.json'))
  if (locked === undefined) stop('package-lock.json is missing or unreadable.')
  if (installed === undefined) return false
  const wanted = Object.keys(locked).filter(
    (path) => path !== '' && !locked[path].optional && !locked[path].devOptional,
  )
  const own = nodePackageFolder()
  if (own !== undefined) wanted.push(`node_modules/${basename(own)}`)
  return (
    wanted.every((path) => installed[path] !== undefined) &&
    Object.keys(installed).every((path) => locked[path]?.version === installed[path].version) &&
    findNode() !== undefined
  )
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

function terminalAddonReady() {
  const folder = inRoot('node_modules', 'node-pty')
  return (
    existsSync(`${folder}/build/Release/pty.node`) ||
    existsSync(`${folder}/prebuilds/${process.platform}-${process.arch}/pty.node`)
  )
}

function npm(args) {
  const quiet = ['--loglevel=error', '--no-audit', '--no-fund']
  const command = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const { status, output } = run(command, [...args, ...quiet], { capture: true, env: npmEnvironment() })
  if (status === 0) return
  stop(`${output.split('\n').slice(-40).join('\n')}\nnpm ${args.join(' ')} failed (exit ${status}).`)
}

/** Headers for node-gyp: the user's choice if there is one, else those of the packaged Node, so nothing is downloaded. */
function npmEnvironment() {
  const env = projectEnvironment()
  const headers = nodePackageFolder()
  const command = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const chosen = run(command, ['config', 'get', 'nodedir', '--loglevel=silent'], { capture: true, env }).stdout?.trim()
  if (chosen && chosen !== 'undefined' && chosen !== 'null') return env
  return headers !== undefined && existsSync(`${headers}/include/node`) ? { ...env, npm_config_nodedir: headers } : env
}
