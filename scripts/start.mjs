import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { build, isBuildStale } from './lib/build.mjs'
import { findDesktop } from './lib/desktop.mjs'
import { installDependencies } from './lib/install.mjs'
import { become, inRoot, requireNode, root, say, stop } from './lib/project.mjs'
import { missingTools, provideTools } from './lib/tools.mjs'

const HELP = `Usage: npm start -- [--demo] [--nodes N] [--home DIR] [--port N] [--web]

Opens the Lockstep console. From a fresh checkout it first installs and builds what is missing. Where no
window can be opened (no display, or no Electron binary) the same console is served to the browser, on the
loopback address only, and the one-time link to open is printed.

  --demo       a fleet of real sshd processes on the loopback, to try everything without touching a machine
  --nodes N    how many nodes the demo fleet has
  --home DIR   keep all data in DIR instead of the usual place
  --port N     port of the console in the browser (default: a free one)
  --web        serve to the browser even where a window could be opened`

const flags = { '--demo': 'none', '--web': 'none', '--nodes': 'count', '--port': 'port', '--home': 'folder' }

/** Turns the command line into options, or ends with the name of what is wrong. */
function parse(args) {
  const options = {}
  const words = args.flatMap(splitOnce)
  while (words.length > 0) {
    const flag = words.shift()
    const kind = flags[flag]
    if (kind === undefined) stop(`unknown option "${flag}"\n\n${HELP}`, 2)
    options[flag] = kind === 'none' ? true : checked(flag, kind, words.shift())
  }
  if (options['--nodes'] !== undefined && !options['--demo']) stop('--nodes only makes sense with --demo', 2)
  return options
}

/** `--home=DIR` is `--home DIR`. */
function splitOnce(argument) {
  const at = argument.indexOf('=')
  return at === -1 || !argument.startsWith('--') ? [argument] : [argument.slice(0, at), argument.slice(at + 1)]
}

function checked(flag, kind, value) {
  if (value === undefined || value === '') return stop(`${flag} needs a value`, 2)
  if (kind === 'folder') return absoluteFolder(value)
  const highest = kind === 'port' ? 65_535 : 1_000
  const number = Number(value)
  if (Number.isInteger(number) && number >= 1 && number <= highest) return value
  return stop(`${flag} must be a whole number from 1 to ${highest}, not "${value}"`, 2)
}

/** npm runs scripts in the project's folder; the person meant the folder where the command was typed. */
function absoluteFolder(value) {
  if (value === '~' || value.startsWith('~/')) return join(homedir(), value.slice(1))
  return resolve(process.env.INIT_CWD ?? process.cwd(), value)
}

function argumentsFor(options) {
  return Object.entries(options)
    .filter(([flag]) => flag !== '--web')
    .flatMap(([flag, value]) => (value === true ? [flag] : [flag, value]))
}

function prepare(options) {
  installDependencies()
  provideTools(missingTools(options['--demo'] ? 'demo' : 'start'), { required: options['--demo'] === true })
  if (!isBuildStale()) return
  say('Building …')
  const { status, output } = build({ capture: true })
  if (status !== 0) stop(`${output}\nThe build failed.`)
}

async function main() {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) return console.log(HELP)
  const options = parse(args)
  prepare(options)
  const desktop = options['--web'] ? { reason: '--web was given' } : await findDesktop()
  if (desktop.electron !== undefined) return become(desktop.electron, [root, ...argumentsFor(options)])
  say(`No window: ${desktop.reason}. Serving the console to your browser.`)
  return become(requireNode(), [inRoot('out', 'main', 'cli.js'), 'serve', '--open-link', ...argumentsFor(options)])
}

await main()
