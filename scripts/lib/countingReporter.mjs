import { writeFileSync } from 'node:fs'

/**
 * Vitest reporter: writes what ran to the file named by LOCKSTEP_TEST_REPORT as
 * `{ passed, failed, skipped: [{ name, reason }] }`. A file that fails outside its tests (an import, a hook, a leak) and
 * an unhandled error count as one failure each.
 */
export default class CountingReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const report = { passed: 0, failed: unhandledErrors.length, skipped: [] }
    for (const module of modules) {
      const brokenFile = module.errors().length > 0 || suitesOf(module).some((suite) => suite.errors().length > 0)
      if (brokenFile) report.failed += 1
      for (const test of module.children.allTests()) count(report, module, test)
    }
    writeFileSync(process.env.LOCKSTEP_TEST_REPORT, JSON.stringify(report))
  }
}

const suitesOf = (module) => [...module.children.allSuites()]

function count(report, module, test) {
  const { state, note } = test.result()
  if (state === 'passed') report.passed += 1
  else if (state === 'failed' || state === 'pending') report.failed += 1
  else
    report.skipped.push({
      name: `${module.relativeModuleId} > ${test.fullName}`,
      reason: note ?? 'its skipIf condition holds',
    })
}
