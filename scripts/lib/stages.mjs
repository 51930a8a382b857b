import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from './build.mjs'
import { binOf, inRoot, projectEnvironment, requireNode, run } from './project.mjs'

/**
 * The stages of `npm test`, in order. Each gives `{ passed, failed, skipped: [{ name, reason }] }`, and where it
 * knows more, `failures: [{ name, reason }]` and `flaky: [name]`; a stage without a test runner of its own counts as one.
 */
export const stages = [
  { name: 'format', run: () => check('@biomejs/biome', 'biome', ['ci', '--linter-enabled=false', '--colors=off']) },
  { name: 'lint', run: () => check('@biomejs/biome', 'biome', ['lint', '--error-on-warnings', '--colors=off']) },
  { name: 'types', run: () => script('typecheck.mjs') },
  { name: 'layers', run: () => script('layers.mjs') },
  { name: 'requirements', run: () => script('requirements.mjs', ['--check']) },
  { name: 'dead', run: () => check('knip', 'knip', ['--no-progress']) },
  { name: 'unit', run: (args) => vitest(['unit', 'renderer'], args) },
  { name: 'integration', run: (args) => vitest(['integration'], args) },
  { name: 'build', run: () => once(build({ capture: true })) },
  { name: 'web', needsBuild: true, run: (args) => playwright('web', args) },
  { name: 'desktop', needsBuild: true, run: (args) => playwright('desktop', args) },
]

const check = (packageName, command, args) =>
  once(run(requireNode(), [binOf(packageName, command), ...args], { capture: true }))

const script = (file, args = []) => once(run(requireNode(), [inRoot('scripts', file), ...args], { capture: true }))

function once({ status, output }) {
  if (status === 0) return { passed: 1, failed: 0, skipped: [] }
  console.log(output)
  return { passed: 0, failed: 1, skipped: [] }
}

function vitest(projects, args) {
  return counted('LOCKSTEP_TEST_REPORT', (report) => report, [
    binOf('vitest'),
    'run',
    ...projects.flatMap((project) => ['--project', project]),
    '--reporter=default',
    `--reporter=${inRoot('scripts', 'lib', 'countingReporter.mjs')}`,
    ...args,
  ])
}

function playwright(project, args) {
  const command = [binOf('@playwright/test', 'playwright'), 'test', `--project=${project}`, ...args]
  return counted('LOCKSTEP_E2E_REPORT', countSpecs, command)
}

/** Runs a test runner that writes a report. Success without a single test, or a missing report, is a failure. */
function counted(variable, read, args) {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-report-'))
  const file = join(folder, 'report.json')
  try {
    const { status } = run(requireNode(), args, { env: projectEnvironment({ [variable]: file }) })
    return consistent(read(JSON.parse(readFileSync(file, 'utf8'))), status)
  } catch (error) {
    console.log(`no report: ${error.message}`)
    return { passed: 0, failed: 1, skipped: [] }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function consistent(report, status) {
  if (report.failed === 0 && status !== 0) return { ...report, failed: 1 }
  if (report.passed + report.failed > 0) return report
  console.log('Not one test was executed, which counts as a failure.')
  return { ...report, failed: 1 }
}

/** From Playwright's JSON report. */
function countSpecs(report) {
  const tests = specsOf(report).flatMap((spec) => spec.tests.map((test) => ({ title: spec.title, ...test })))
  const withStatus = (status) => tests.filter((test) => test.status === status)
  return {
    passed: withStatus('expected').length + withStatus('flaky').length,
    failed: withStatus('unexpected').length + report.errors.length,
    failures: withStatus('unexpected').map(({ title, results }) => ({ name: title, reason: reasonOf(results) })),
    flaky: withStatus('flaky').map(({ title, results }) => `${title} (${reasonOf(results)})`),
    skipped: withStatus('skipped').map(({ title, annotations }) => ({
      name: title,
      reason: annotations.find(({ type }) => type === 'skip' || type === 'fixme')?.description ?? 'no reason given',
    })),
  }
}

/** What went wrong first, in one line. */
function reasonOf(results) {
  const error = results.flatMap(({ errors }) => errors).find(({ message }) => message !== undefined)
  return (error?.message ?? 'no message')
    .replaceAll(/\u001b\[\d+m/g, '')
    .split('\n')
    .slice(0, 4)
    .join(' ')
}

function specsOf(suite) {
  return [...(suite.specs ?? []), ...(suite.suites ?? []).flatMap(specsOf)]
}
