import { readdirSync } from 'node:fs'
import { binOf, inRoot, requireNode, run, stop } from './lib/project.mjs'

const HELP = `Usage: node scripts/layers.mjs

Checks who imports whom in src/ against the table in .dependency-cruiser.mjs, and that every source file was really
looked at: a checker that sees nothing also finds nothing.`

if (process.argv.includes('--help') || process.argv.includes('-h')) {
  console.log(HELP)
  process.exit(0)
}

const { status, output, stdout } = run(
  requireNode(),
  [binOf('dependency-cruiser', 'depcruise'), 'src', '--config', '.dependency-cruiser.mjs', '--output-type', 'json'],
  { capture: true },
)
const result = parsed(stdout)
if (result === undefined) stop(`dependency-cruiser failed (exit ${status}).\n${output}`)

const cruised = new Set(result.modules.map((module) => module.source))
const unseen = sourceFiles('src').filter((file) => !cruised.has(file))
const comments = new Map(result.summary.ruleSetUsed.forbidden.map((rule) => [rule.name, rule.comment]))

for (const { rule, from, to } of result.summary.violations) {
  console.log(`${from} -> ${to}\n    ${rule.name}: ${comments.get(rule.name) ?? ''}`)
}
for (const file of unseen) console.log(`${file}\n    was not looked at`)
console.log(
  `${cruised.size} modules, ${result.summary.totalDependenciesCruised} imports, ${result.summary.violations.length} violations`,
)
if (result.summary.violations.length > 0 || unseen.length > 0 || sourceFiles('src').length === 0) process.exitCode = 1

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function sourceFiles(folder) {
  return readdirSync(inRoot(folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return sourceFiles(path)
    return /\.tsx?$/.test(entry.name) ? [path] : []
  })
}
