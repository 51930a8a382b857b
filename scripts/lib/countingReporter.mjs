import { writeFileSync } from 'node:fs'

/**
 * Vitest reporter: writes what ran to the file named by LOCKSTEP_TEST_REPORT as
 * `{ passed, failed, skipped: [{ name, reason }], failures: [{ name, reason }], flaky: [name] }`. A file that fails outside its tests (an import, a hook, a leak) and
 * an unhandled error count as one failure each.
 */
export default class CountingReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const report = { passed: 0, failed: unhandledErrors.length, skipped: [], failures: [], flaky: [] }
    for (const error of unhandledErrors)
      report.failures.push({ name: 'outside of any test', reason: reasonOf([error]) })
    for (const module of modules) {
      const brokenFile = module.errors().length > 0 || suitesOf(module).some((suite) => suite.errors().length > 0)
      if (brokenFile) {
        report.failed += 1
        report.failures.push({ name: module.relativeModuleId, reason: reasonOf(module.errors()) })
      }
      for (const test of module.children.allTests()) count(report, module, test)
    }
    writeFileSync(process.env.LOCKSTEP_TEST_REPORT, JSON.stringify(report))
  }
}

const suitesOf = (module) => [...module.children.allSuites()]

function count(report, module, test) {
  const { state, note, errors } = test.result()
  const name = `${module.relativeModuleId} > ${test.fullName}`
  if (state === 'passed') {
    report.passed += 1
    // The errors of the first try stay with the result: the next one to look wants the counterexample, not a second hunt.
    if (test.diagnostic()?.flaky)
      report.flaky.push(errors === undefined || errors.length === 0 ? name : `${name}: ${reasonOf(errors)}`)
  } else if (state === 'failed' || state === 'pending') {
    report.failed += 1
    report.failures.push({ name, reason: reasonOf(errors) })
  } else report.skipped.push({ name, reason: note ?? 'its skipIf condition holds' })
}

/** The first line of the first error. */
function reasonOf(errors) {
  const [first] = errors ?? []
  return (first?.message ?? 'no message').split('\n')[0]
}
