import { isBuildStale } from './lib/build.mjs'
import { installDependencies } from './lib/install.mjs'
import { stop } from './lib/project.mjs'
import { stages } from './lib/stages.mjs'
import { missingTools, provideTools } from './lib/tools.mjs'

const names = stages.map((stage) => stage.name).join(' ')
const groups = { static: ['format', 'lint', 'types', 'layers', 'requirements', 'dead'], e2e: ['web', 'desktop'] }

const HELP = `Usage: npm test [-- [--fail-fast] [stage …] [-- arguments of the test runner]]

Runs every check of the project, from a fresh checkout too: dependencies and system programs are looked after first.
Stages, in order: ${names}
Groups: static (${groups.static.join(' ')}), e2e (${groups.e2e.join(' ')})

  --fail-fast   stop at the first stage that fails (otherwise all run and the summary names every failure)

Arguments after a second -- go to vitest or Playwright, for example:
  npm test -- unit -- src/core
With CI set, a test that failed gets one second try, and the summary names it:
a race that shows one time in a thousand is to be mended, not to hold everything else back.
The last line is "N passed, N failed", with ", N skipped" when tests were skipped; the exit code is 1 on any failure.`

function parse(args) {
  const separator = args.indexOf('--')
  const own = separator === -1 ? args : args.slice(0, separator)
  const unknown = own.find((word) => word !== '--fail-fast' && !names.split(' ').includes(word) && !groups[word])
  if (unknown !== undefined) stop(`unknown stage or option "${unknown}"\n\n${HELP}`, 2)
  const asked = own.filter((word) => word !== '--fail-fast').flatMap((word) => groups[word] ?? [word])
  return {
    failFast: own.includes('--fail-fast'),
    chosen: asked.length === 0 ? stages : stages.filter((stage) => asked.includes(stage.name)),
    runnerArgs: separator === -1 ? [] : args.slice(separator + 1),
  }
}

/** A single end-to-end stage builds first; after a failed build it is not worth starting. */
function runStage(stage, chosen, runnerArgs) {
  if (stage.needsBuild && isBuildStale()) {
    const buildStage = stages.find(({ name }) => name === 'build')
    const ready = !chosen.includes(buildStage) && buildStage.run().failed === 0
    if (!ready) {
      console.log('There is no current build to test.')
      return { passed: 0, failed: 1, skipped: [] }
    }
  }
  return stage.run(runnerArgs)
}

function runAll({ failFast, chosen, runnerArgs }) {
  const results = []
  for (const stage of chosen) {
    console.log(`\n== ${stage.name}`)
    const startedMs = Date.now()
    const result = runStage(stage, chosen, runnerArgs)
    results.push({ name: stage.name, seconds: (Date.now() - startedMs) / 1000, ...result })
    if (failFast && result.failed > 0) break
  }
  return results
}

function summarise(results, chosen) {
  console.log('\nSummary')
  for (const { name, seconds, passed, failed, skipped } of results) {
    const counts = `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`
    console.log(`  ${failed === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${counts} (${seconds.toFixed(1)} s)`)
  }
  for (const { name } of chosen.slice(results.length)) console.log(`  not run ${name}`)
  const all = (field) => results.flatMap((result) => result[field] ?? [])
  for (const { name, reason } of all('skipped')) console.log(`  skipped: ${name}: ${reason}`)
  for (const name of all('flaky')) console.log(`  passed at the second try only: ${name}`)
  for (const { name, reason } of all('failures')) console.log(`  failed: ${name}: ${reason}`)
}

function total(results) {
  const sum = (pick) => results.reduce((count, result) => count + pick(result), 0)
  const skipped = sum((result) => result.skipped.length)
  const failed = sum((result) => result.failed)
  console.log(`${sum((result) => result.passed)} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return failed
}

const args = process.argv.slice(2)
if (args.includes('--help') || args.includes('-h')) {
  console.log(HELP)
} else {
  const options = parse(args)
  installDependencies()
  provideTools(missingTools('test'), { required: false })
  const results = runAll(options)
  summarise(results, options.chosen)
  process.exitCode = total(results) > 0 ? 1 : 0
}
