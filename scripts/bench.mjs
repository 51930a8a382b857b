import { readdirSync } from 'node:fs'
import { build, isBuildStale } from './lib/build.mjs'
import { installDependencies } from './lib/install.mjs'
import { become, inRoot, requireNode, stop } from './lib/project.mjs'

const names = readdirSync(inRoot('bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace(/\.bench\.ts$/, ''))

const HELP = `Usage: npm run bench -- <name> [--json] [arguments of the bench]

Measures Lockstep beside the program a person would use instead, in the same run, and prints medians and their ratio.
Benches: ${names.join(', ') || 'none yet'}`

const [name, ...rest] = process.argv.slice(2)
if (name === undefined || name === '--help' || name === '-h') {
  console.log(HELP)
} else if (!names.includes(name)) {
  stop(`there is no bench "${name}"\n\n${HELP}`, 2)
} else {
  installDependencies()
  // What is measured is what people run.
  if (isBuildStale() && build({ capture: true }).status !== 0) stop('The build failed; see: npm run build')
  become(requireNode(), [inRoot('bench', 'main.ts'), name, ...rest])
}
