import { installDependencies } from './lib/install.mjs'
import { findNode, say, stop } from './lib/project.mjs'
import { missingTools, provideTools, purposes } from './lib/tools.mjs'

const HELP = `Usage: node scripts/bootstrap.mjs [start|demo|test|compile]

Makes a fresh checkout ready, and does nothing when it already is:
  1. installs the dependencies of the lock file, with the Node 24 that the project runs on
  2. compiles the terminal add-on (python3, make, g++)
  3. looks for the system programs that the purpose needs (default: start). As root on Debian they are
     installed through apt; otherwise the command to run is printed and the system is left alone.

Runs on Node 16 and later.`

const [purpose = 'start'] = process.argv.slice(2)
if (purpose === '--help' || purpose === '-h') {
  console.log(HELP)
} else if (!purposes.includes(purpose)) {
  stop(`unknown purpose "${purpose}"\n\n${HELP}`, 2)
} else {
  installDependencies()
  provideTools(missingTools(purpose), { required: purpose !== 'start' })
  say(`Ready: ${findNode()}`)
}
