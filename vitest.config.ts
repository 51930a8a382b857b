import { defineConfig } from 'vitest/config'

const leaks = ['./test/support/leaks.ts']
const rendererTests = 'src/renderer/**/*.test.{ts,tsx}'
// Named in the summary of `npm test`: see its --help. A property may meet a counterexample that is older than the change.
const retry = process.env.CI === undefined ? 0 : 1

/** `unit` and `renderer` lie beside their files; `integration` runs against real sshd, rsync and databases. */
export default defineConfig({
  test: {
    coverage: { provider: 'v8', include: ['src/**/*.{ts,tsx}'], exclude: ['src/**/*.test.{ts,tsx}'] },
    projects: [
      {
        test: {
          name: 'unit',
          environment: 'node',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/support/**/*.test.ts'],
          exclude: [rendererTests],
          setupFiles: leaks,
          testTimeout: 20_000,
          retry,
        },
      },
      {
        test: {
          name: 'renderer',
          environment: 'happy-dom',
          include: [rendererTests],
          testTimeout: 20_000,
          retry,
        },
      },
      {
        test: {
          name: 'integration',
          environment: 'node',
          include: ['test/integration/**/*.test.ts'],
          setupFiles: leaks,
          pool: 'forks',
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 90_000,
          retry,
        },
      },
    ],
  },
})
