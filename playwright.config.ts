import { defineConfig } from '@playwright/test'

if (Number(process.versions.node.split('.')[0]) < 24)
  throw new Error(`The specs need Node 24, this is ${process.version}. Run: npm test -- web, or node_modules/.bin/node`)

/**
 * The same specs against two hosts: `web` is the daemon in a browser, `desktop` the built desktop bundles. Specs of one
 * host only carry `@web` or `@desktop` in their title.
 */
export default defineConfig({
  testDir: 'e2e/specs',
  outputDir: 'e2e/artifacts/results',
  snapshotPathTemplate: 'e2e/snapshots/{projectName}/{testFilePath}/{arg}{ext}',
  workers: 1,
  fullyParallel: false,
  // Named in the summary of `npm test`: see its --help.
  retries: process.env.CI === undefined ? 0 : 1,
  timeout: 90_000,
  expect: { timeout: 15_000 },
  forbidOnly: true,
  reporter: [['list'], ['json', { outputFile: process.env.LOCKSTEP_E2E_REPORT ?? 'e2e/artifacts/report.json' }]],
  use: {
    browserName: 'chromium',
    headless: true,
    viewport: { width: 1440, height: 900 },
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.LOCKSTEP_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'web', grepInvert: /@desktop/ },
    { name: 'desktop', grepInvert: /@web/ },
  ],
})
