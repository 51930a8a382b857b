import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Clock } from '../../../platform/clock.ts'
import { exec } from '../../../platform/exec.ts'
import { AppError } from '../../../shared/errors.ts'
import type { ChosenContext, ExecEntry } from './kubeconfig.ts'

/** What a kubeconfig has for a user once files and plugins have spoken; keys as in a kubeconfig. */
type UserFields = ChosenContext['user']

const pluginTimeoutMs = 60_000
/** A token is not used in its last minute: it could end on its way. */
const spareMs = 60_000

const ExecCredential = z.looseObject({
  status: z.object({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.string().optional(),
  }),
})
type ExecStatus = z.infer<typeof ExecCredential>['status']

/** Credentials of one user of a kubeconfig, made ready for a request. Kept in memory only. */
export interface Credentials {
  /** @throws AppError INVALID_INPUT or REGISTRY_SOURCE_REFUSED; the message holds nothing that a plugin printed */
  current(signal: AbortSignal): Promise<UserFields>
  /** They were refused: what a plugin gave is not used again. */
  forget(): void
  /** Everything secret that was seen so far. */
  secrets(): readonly string[]
}

export function createCredentials(context: ChosenContext, { clock }: { readonly clock: Clock }): Credentials {
  const { user } = context
  const seen = new Set<string>()
  let cached: { readonly status: ExecStatus; readonly untilMs: number } | null = null
  const note = (fields: UserFields): UserFields => {
    const { token, password, 'client-key-data': key } = fields
    for (const secret of [token, password, key]) if (secret != null && secret !== '') seen.add(secret)
    return fields
  }
  let asking: Promise<unknown> = Promise.resolve()
  /** One at a time: what the first is given, the second uses. */
  const fromPlugin = (plugin: ExecEntry, signal: AbortSignal): Promise<UserFields> => {
    const asked = asking.then(() => askOnce(plugin, signal))
    asking = asked.catch(() => undefined)
    return asked
  }
  const askOnce = async (plugin: ExecEntry, signal: AbortSignal): Promise<UserFields> => {
    if (cached === null || cached.untilMs <= clock.nowMs()) {
      const status = await askPlugin(plugin, context, { signal })
      cached = { status, untilMs: usableUntilMs(status) }
    }
    return withPlugin(user, cached.status)
  }
  return {
    current: async (signal) => {
      refuseOldProviders(user)
      if (user.exec != null) return note(await fromPlugin(user.exec, signal))
      if (user.tokenFile != null && user.tokenFile !== '') return note(await withTokenFile(user, user.tokenFile))
      return note(user)
    },
    forget: () => {
      cached = null
    },
    secrets: () => [...seen],
  }
}

/** Their commands would go through a shell; kubectl dropped both in 1.26. */
function refuseOldProviders(user: UserFields): void {
  const name = user['auth-provider']?.name
  if (name === 'gcp' || name === 'azure')
    throw refused(
      `The kubeconfig uses the auth-provider "${name}", which kubectl has given up. Make it anew with an exec plugin`,
    )
}

async function withTokenFile(user: UserFields, file: string): Promise<UserFields> {
  try {
    return { ...user, token: (await readFile(file, 'utf8')).trim() }
  } catch {
    throw refused(`The token file ${file} of the kubeconfig cannot be read`)
  }
}

/** Runs it as the kubeconfig says: no shell, no terminal, and nothing of our environment but what programs need. */
async function askPlugin(
  plugin: ExecEntry,
  { cluster }: ChosenContext,
  { signal }: { readonly signal: AbortSignal },
): Promise<ExecStatus> {
  if (plugin.interactiveMode === 'Always')
    throw refused(`The credential plugin ${plugin.command} wants a person at a terminal. Use one that does not`)
  const info = {
    apiVersion: plugin.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(plugin.provideClusterInfo === true ? { cluster: clusterInfo(cluster) } : {}) },
  }
  const given = Object.fromEntries((plugin.env ?? []).map(({ name, value }) => [name, value]))
  const answer = await exec({
    command: plugin.command,
    args: plugin.args ?? [],
    env: { ...given, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    timeoutMs: pluginTimeoutMs,
    maxOutputBytes: 1_048_576,
    signal,
  }).catch((thrown: unknown) => {
    if (signal.aborted) throw thrown
    throw refused(
      `The credential plugin ${plugin.command} of the kubeconfig failed (${reasonOf(thrown)}). Run it by hand to see why`,
    )
  })
  return readAnswer(plugin, answer.stdout)
}

/** What it printed may be a token, so that only the kind of failure is told. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof AppError)) return 'it could not be run'
  if (thrown.code === 'PROGRAM_MISSING') return 'there is no such program'
  if (thrown.code === 'TIMED_OUT') return `no answer in ${pluginTimeoutMs / 1_000} s`
  return `exit code ${String(thrown.data?.exitCode ?? 'unknown')}`
}

function clusterInfo(cluster: ChosenContext['cluster']): Readonly<Record<string, unknown>> {
  const { server, 'certificate-authority-data': authority, 'insecure-skip-tls-verify': insecure } = cluster
  return {
    server,
    ...(authority == null ? {} : { 'certificate-authority-data': authority }),
    ...(insecure === true ? { 'insecure-skip-tls-verify': true } : {}),
  }
}

function readAnswer(plugin: ExecEntry, stdout: string): ExecStatus {
  const parsed = ExecCredential.safeParse(parseJson(stdout))
  if (parsed.success && (parsed.data.status.token ?? parsed.data.status.clientCertificateData) !== undefined)
    return parsed.data.status
  throw refused(
    `The credential plugin ${plugin.command} of the kubeconfig printed no ExecCredential with a token or a certificate`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function usableUntilMs({ expirationTimestamp }: ExecStatus): number {
  if (expirationTimestamp === undefined) return Number.POSITIVE_INFINITY
  const endsMs = Date.parse(expirationTimestamp)
  return Number.isNaN(endsMs) ? 0 : endsMs - spareMs
}

function withPlugin({ exec: _, ...user }: UserFields, status: ExecStatus): UserFields {
  const base64 = (pem: string): string => Buffer.from(pem, 'utf8').toString('base64')
  const { token, clientCertificateData: certificate, clientKeyData: key } = status
  return {
    ...user,
    ...(token === undefined ? {} : { token }),
    ...(certificate === undefined ? {} : { 'client-certificate-data': base64(certificate) }),
    ...(key === undefined ? {} : { 'client-key-data': base64(key) }),
  }
}

function refused(sentence: string): AppError {
  return new AppError('REGISTRY_SOURCE_REFUSED', `${sentence}.`)
}
