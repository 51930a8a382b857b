import { readFile, stat } from 'node:fs/promises'
import { checkCertificateRequest, maxAutomationLifetimeSeconds, type SigningPolicy } from '../../core/ca/policy.ts'
import { shellQuote } from '../../core/transfer/remoteShell.ts'
import type { Clock } from '../../platform/clock.ts'
import { parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import { connectStepCa } from '../../platform/stepCa/client.ts'
import { AppError } from '../../shared/errors.ts'
import type { AgentSetup } from '../config.ts'

interface CertificateWish {
  readonly publicKey: string
  readonly minValidSeconds: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

const shortestLifeSeconds = 7_200
const longestLifeSeconds = 57_600

/**
 * A certificate from the step-ca of `ssh.ca_url`, its root pinned by `ssh/ca_fingerprint` (S0.28, S0.29, S0.34, S0.36).
 * @returns the line for `agent_key-cert.pub`
 * @throws AppError what the step-ca client throws, PRECONDITION_FAILED without pin or password file
 */
export async function orderFromStepCa(setup: AgentSetup, wish: CertificateWish): Promise<string> {
  const { ca_url, principal, provisioner, provisioner_password_file } = setup.config.ssh
  const rootFingerprint = await readSetting(setup.layout.caFingerprint, 'the fingerprint of the root of the step-ca')
  await refuseReadable(provisioner_password_file ?? '')
  const password = await readSetting(provisioner_password_file ?? '', 'the password of the provisioner')
  const { clock, signal } = wish
  const client = await connectStepCa({ url: ca_url ?? '', rootFingerprint }, { clock, signal })
  const lifetimeSeconds = Math.min(longestLifeSeconds, Math.max(shortestLifeSeconds, 2 * wish.minValidSeconds))
  const { line } = await client.orderCertificate(
    {
      type: 'user',
      publicKey: parsePublicKeyLine(wish.publicKey).blob,
      keyId: principal,
      principals: [principal],
      lifetimeSeconds,
      credential: { kind: 'password', provisioner: provisioner ?? '', password },
      judge: (terms) => checkCertificateRequest(terms, policyFor(principal)),
    },
    { signal },
  )
  return line
}

/** This principal alone, and nothing that a template of the step-ca may add (D2, S0.20): a run needs a command, no terminal. */
const policyFor = (principal: string): SigningPolicy => ({
  name: 'agent',
  certificateType: 'user',
  // What a principal may hold is in its schema: the dot alone means something else in a pattern.
  principalPattern: `^${principal.replaceAll('.', '\\.')}$`,
  maxLifetimeSeconds: maxAutomationLifetimeSeconds,
  allowedExtensions: [],
  allowedCriticalOptions: [],
})

/** Whoever reads it gets certificates for our principal. A missing file is said by whoever reads it. */
async function refuseReadable(path: string): Promise<void> {
  const stats = await stat(path).catch(() => null)
  if (stats === null || (stats.mode & 0o007) === 0) return
  throw new AppError(
    'PRECONDITION_FAILED',
    `${path} holds the password of the provisioner and can be read by every user. Correct it: chmod 600 ${shellQuote(path)}`,
  )
}

async function readSetting(path: string, what: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  if (text.trim() !== '') return text.trim()
  throw new AppError('PRECONDITION_FAILED', `${path} is missing, empty or unreadable: it has to hold ${what}.`)
}
