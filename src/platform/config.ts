import { readFile } from 'node:fs/promises'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { AppError } from '../shared/errors.ts'
import { Principal } from '../shared/model/text.ts'
import { hasErrorCode } from './fileErrors.ts'

const CertificateConfig = z.strictObject({
  /** How long a user certificate for automation lives; 16 h at most, which is also the default. */
  lifetimeSeconds: z.number().int().min(60).max(57_600).default(57_600),
  /** Renew when less than this is left (S0.38). */
  minValidSeconds: z.number().int().min(0).max(57_600).default(3_600),
  /** Principals that may be certified (S0.19, S0.20); a node with another one needs a person who adds it here. */
  principals: z.array(Principal).min(1).max(64).default(['sync-agent']),
})

const MetricsConfig = z.strictObject({
  address: z
    .string()
    .regex(/^(127(\.\d{1,3}){3}|::1)$/, 'an address of this machine only: 127.0.0.0/8 or ::1')
    .default('127.0.0.1'),
  /** 0 takes any free one. */
  port: z.number().int().min(0).max(65_535),
})
export type MetricsConfig = z.infer<typeof MetricsConfig>

/** `<home>/config.yaml`. Every key is optional. */
export const Config = z.strictObject({
  /** Full reconciliation of all nodes (S1.35, S1.36). */
  reconcileIntervalMs: z.number().int().min(1_000).default(3_600_000),
  /** How often sources of registries are looked at, beside being watched (S1.29, S1.86). */
  registryPollIntervalMs: z.number().int().min(100).default(10_000),
  /** How soon a node that could not be reached is tried again. */
  unreachableProbeIntervalMs: z.number().int().min(100).default(30_000),
  maxParallelRuns: z.number().int().min(1).max(1_024).default(16),
  /** Open SSH connections kept at most. */
  poolMaxConnections: z.number().int().min(1).max(65_536).default(1_024),
  /** Failed cycles in a row after which a node is `error` (S1.68, D12). */
  errorAfterFailures: z.number().int().min(1).default(3),
  /** Between the tries of one attempt (S1.74). */
  retryDelayMs: z.number().int().min(0).default(5_000),
  certificate: CertificateConfig.prefault({}),
  /** Figures and probes for a monitoring system of this machine, without a session (S1F.3); null: on the socket alone. */
  metrics: MetricsConfig.nullable().default(null),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
})
export type Config = z.infer<typeof Config>

/**
 * Reads the settings; without a file, or with an empty one, all defaults.
 *
 * @throws AppError INVALID_INPUT naming the file, every wrong key, and for an unknown key what is allowed there
 */
export async function readConfig(path: string): Promise<Config> {
  const document = parseDocument(await readOrEmpty(path))
  const [mistake] = document.errors
  if (mistake !== undefined) throw invalid(path, [mistake.message.split('\n')[0] ?? mistake.message])
  const parsed = Config.safeParse(document.toJS() ?? {})
  if (!parsed.success) throw invalid(path, parsed.error.issues.flatMap(describe))
  const { certificate } = parsed.data
  if (certificate.minValidSeconds >= certificate.lifetimeSeconds) {
    throw invalid(path, ['certificate.minValidSeconds: must be less than certificate.lifetimeSeconds'])
  }
  return parsed.data
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return ''
    throw error
  }
}

function describe(issue: z.core.$ZodIssue): string[] {
  const where = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') return [`${where || '(top)'}: ${issue.message}`]
  const shapes: Readonly<Record<string, object>> = {
    certificate: CertificateConfig.shape,
    metrics: MetricsConfig.shape,
  }
  const allowed = Object.keys(shapes[where] ?? Config.shape).join(', ')
  return issue.keys.map((key) => `${where === '' ? key : `${where}.${key}`}: unknown key; allowed are ${allowed}`)
}

function invalid(path: string, problems: readonly string[]): AppError {
  return new AppError('INVALID_INPUT', `${path} is not valid: ${problems.join('; ')}`, { data: { path, problems } })
}
