import { readdirSync } from 'node:fs'
import { binOf, inRoot, requireNode, run } from './lib/project.mjs'

const HELP = `Usage: node scripts/typecheck.mjs [runtime …]

Type-checks every runtime of src/ on its own (tsconfig/<runtime>.json), so that a global which a runtime does not
have is an error there. Without arguments all of them.`

/** The runtimes that exist are the files of tsconfig/, apart from what they share. */
function runtimes() {
  return readdirSync(inRoot('tsconfig'))
    .filter((file) => file.endsWith('.json') && file !== 'base.json')
    .map((file) => file.replace(/\.json$/, ''))
}

const asked = process.argv.slice(2)
if (asked.includes('--help') || asked.includes('-h')) {
  console.log(HELP)
} else {
  const compiler = binOf('@typescript/native', 'tsc')
  for (const runtime of asked.length > 0 ? asked : runtimes()) {
    const project = inRoot('tsconfig', `${runtime}.json`)
    const { status, output } = run(requireNode(), [compiler, '--project', project], { capture: true })
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${runtime}`)
    if (status === 0) continue
    console.log(output)
    process.exitCode = 1
  }
}
