import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readConfig } from './config.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-config-'))
  path = join(directory, 'config.yaml')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const defaults = {
  reconcileIntervalMs: 3_600_000,
  unreachableProbeIntervalMs: 30_000,
  maxParallelRuns: 16,
  poolMaxConnections: 1_024,
  errorAfterFailures: 3,
  retryDelayMs: 5_000,
  certificate: { lifetimeSeconds: 57_600, minValidSeconds: 3_600, principals: ['sync-agent'] },
  registryPollIntervalMs: 10_000,
  metrics: null,
  logLevel: 'info',
}

it('S1.29 S1.35 S0.38 D12 uses the defaults without a file and with an empty one', async () => {
  expect(await readConfig(path)).toEqual(defaults)
  writeFileSync(path, '# nothing yet\n')
  expect(await readConfig(path)).toEqual(defaults)
})

it('S1.36 S1.85 S1.86 reads what is set and keeps the other defaults', async () => {
  writeFileSync(
    path,
    'reconcileIntervalMs: 7200000\nregistryPollIntervalMs: 30000\ncertificate:\n  minValidSeconds: 60\n',
  )
  expect(await readConfig(path)).toEqual({
    ...defaults,
    reconcileIntervalMs: 7_200_000,
    registryPollIntervalMs: 30_000,
    certificate: { lifetimeSeconds: 57_600, minValidSeconds: 60, principals: ['sync-agent'] },
  })
})

it.each([
  ['metrics: { port: 1, adress: x }\n', /metrics\.adress: unknown key; allowed are address, port/],
  ['metrics: { address: 127.0.0.1.evil, port: 1 }\n', /metrics\.address: an address of this machine only/],
  ['reconcileInterval: 5\n', /reconcileInterval: unknown key; allowed are reconcileIntervalMs, .*logLevel/],
  ['certificate:\n  lifetime: 5\n', /certificate\.lifetime: unknown key; allowed are lifetimeSeconds, minValidSeconds/],
  ['maxParallelRuns: many\n', /maxParallelRuns: /],
  ['certificate:\n  lifetimeSeconds: 99999999\n', /certificate\.lifetimeSeconds: /],
  ['certificate:\n  lifetimeSeconds: 600\n', /certificate\.minValidSeconds: must be less than/],
  ['maxParallelRuns: [1\n', /config\.yaml is not valid: /],
  ['- a list\n', /\(top\): /],
])('refuses %j with the file, the key and what is allowed', async (text, message) => {
  writeFileSync(path, text)
  await expect(readConfig(path)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  await expect(readConfig(path)).rejects.toThrow(message)
})

it('S1.85 S1.86 a larger fleet reconciles and polls less often', async () => {
  writeFileSync(path, 'reconcileIntervalMs: 14400000\nregistryPollIntervalMs: 30000\n')
  expect(await readConfig(path)).toMatchObject({ reconcileIntervalMs: 14_400_000, registryPollIntervalMs: 30_000 })
})
