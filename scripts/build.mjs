import { build, isBuildStale } from './lib/build.mjs'
import { say } from './lib/project.mjs'

const HELP = `Usage: node scripts/build.mjs [--if-stale]

Builds the desktop bundles, the command line, which is the daemon too, and the agent into out/. No Electron binary is
needed.

  --if-stale   do nothing when out/ already belongs to the sources as they are`

const args = process.argv.slice(2)
if (args.includes('--help') || args.includes('-h')) {
  console.log(HELP)
} else if (args.includes('--if-stale') && !isBuildStale()) {
  say('out/ is up to date.')
} else {
  process.exitCode = build().status
}
