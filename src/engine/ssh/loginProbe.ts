import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diagnoseConnection } from '../../core/diagnose/connection.ts'
import type { Clock } from '../../platform/clock.ts'
import { exec } from '../../platform/exec.ts'
import { AppError } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { LoginAttempt, LoginProbe, TrustedKey } from '../ports.ts'
import { connectSsh } from './connection.ts'
import { pause, withDeadline } from './deadline.ts'
import { diagnosedError, presentedBy } from './failure.ts'
import { AttemptFailed } from './transport.ts'

interface LoginProbeDependencies {
  readonly clock: Clock
  /** What a client that believes the host authority alone has to trust. */
  readonly trustedHostKeys: () => Promise<readonly TrustedKey[]>
}

/** sshd refused the login, and says of every cause the same. */
const refusals: readonly Diagnosis['code'][] = [
  'KEY_REFUSED',
  'PRINCIPAL_NOT_LISTED',
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_NOT_YET_VALID',
  'CERTIFICATE_REVOKED',
]

/** While sshd reads its configuration again, it listens to nobody for a moment. */
const passing: readonly Diagnosis['code'][] = ['CONNECTION_REFUSED', 'TOO_MANY_STARTUPS', 'CONNECTION_LOST']
const mostTries = 10
const retryPauseMs = 200

/** Logins of their own, never through the pool: what is open there says nothing about what would be let in now. */
export function createLoginProbe(dependencies: LoginProbeDependencies): LoginProbe {
  return {
    attempt: (node, identity, { timeoutMs, signal, user = node.user }) =>
      withDeadline({ clock: dependencies.clock, timeoutMs, signals: signal === undefined ? [] : [signal] }, (within) =>
        attempt({ ...dependencies, node: { ...node, user }, identity, signal: within }),
      ),
    offeredHostCertificate: (node, options) => offeredHostCertificate(dependencies, node, options),
  }
}

interface Attempt extends LoginProbeDependencies {
  readonly node: FleetNode
  readonly identity: Parameters<LoginProbe['attempt']>[1]
  readonly signal: AbortSignal
}

async function attempt({ clock, node, identity, signal }: Attempt): Promise<LoginAttempt> {
  for (let tries = 1; ; tries += 1) {
    try {
      const connection = await connectSsh(node, { user: node.user, pins: node.hostKeys, identity, clock, signal })
      connection.destroy()
      return { status: 'accepted' }
    } catch (thrown) {
      if (!(thrown instanceof AttemptFailed)) throw thrown
      const diagnosis = diagnoseConnection(node, { ...thrown.evidence, ...presentedBy(identity) })
      if (refusals.includes(diagnosis.code)) return { status: 'refused', diagnosis, evidence: diagnosis.evidence }
      if (!passing.includes(diagnosis.code) || tries >= mostTries) throw diagnosedError(node, diagnosis)
    }
    await pause(retryPauseMs, { clock, signal })
  }
}

type ProbeOptions = Parameters<LoginProbe['offeredHostCertificate']>[1]

async function offeredHostCertificate(
  { trustedHostKeys }: LoginProbeDependencies,
  node: FleetNode,
  options: ProbeOptions,
): Promise<string | null> {
  const line = await scanCertificate(node, options)
  if (line === null) return null
  await proveHeld(node, { line, trusted: await trustedHostKeys(), options })
  return line
}

const certificateAlgorithms = [
  'ssh-ed25519-cert-v01@openssh.com',
  'ecdsa-sha2-nistp256-cert-v01@openssh.com',
  'ecdsa-sha2-nistp384-cert-v01@openssh.com',
  'ecdsa-sha2-nistp521-cert-v01@openssh.com',
  'rsa-sha2-512-cert-v01@openssh.com',
  'rsa-sha2-256-cert-v01@openssh.com',
]

/** `ssh-keyscan -c` asks for certificates and nothing else; ssh2 cannot. Of several, that over a pinned key's type. */
async function scanCertificate(node: FleetNode, { timeoutMs, signal }: ProbeOptions): Promise<string | null> {
  const scanned = await exec({
    command: 'ssh-keyscan',
    args: ['-c', '-T', String(Math.max(1, Math.ceil(timeoutMs / 1000))), '-p', String(node.port), '--', node.address],
    timeoutMs: timeoutMs + 1_000,
    okExitCodes: 'any',
    ...(signal === undefined ? {} : { signal }),
  })
  const lines = scanned.stdout.split('\n').flatMap((line) => {
    // For a plain key the name of the host stands first, for a certificate it does not.
    const match = /^(?:\S+ )?((\S+-cert-v01@openssh\.com) [A-Za-z0-9+/]+={0,2})$/.exec(line.trim())
    return match === null ? [] : [{ type: match[2] ?? '', line: match[1] ?? '' }]
  })
  const pinned = lines.find(({ type }) => node.hostKeys.some((pin) => type.startsWith(pin.keyType)))
  return (pinned ?? lines[0])?.line ?? null
}

interface HeldCertificate {
  readonly line: string
  readonly trusted: readonly TrustedKey[]
  readonly options: ProbeOptions
}

/** A certificate is public: only a client that ends a key exchange with it, and trusts nothing else, proves the offer. */
async function proveHeld(node: FleetNode, { line, trusted, options }: HeldCertificate): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-host-'))
  try {
    const knownHosts = join(directory, 'known_hosts')
    await writeFile(knownHosts, trusted.map(({ publicKey }) => `@cert-authority * ${publicKey}\n`).join(''))
    const seen = await exec({
      command: 'ssh',
      args: sshArguments(node, knownHosts),
      timeoutMs: options.timeoutMs,
      okExitCodes: 'any',
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    // Past the host key sshd is asked for no login method at all and says which there would be.
    if (/^debug1: Authentications that can continue|Permission denied \(/m.test(seen.stderr)) return
    const said = seen.stderr.split('\n').filter((text) => text !== '' && !text.startsWith('debug1:'))
    throw new AppError(
      'CERTIFICATE_INVALID',
      `${node.name} offers a host certificate that a client does not take when it trusts the host authority alone: ${said[0] ?? 'ssh gave no reason'}.`,
      { data: { certificate: line, evidence: said.slice(0, 20) } },
    )
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function sshArguments(node: FleetNode, knownHosts: string): string[] {
  const options = [
    `UserKnownHostsFile="${knownHosts.replaceAll('%', '%%')}"`,
    'GlobalKnownHostsFile=none',
    `HostKeyAlias=${node.address}`,
    `HostKeyAlgorithms=${certificateAlgorithms.join(',')}`,
    'StrictHostKeyChecking=yes',
    'UpdateHostKeys=no',
    'PreferredAuthentications=none',
    'PubkeyAuthentication=no',
    'BatchMode=yes',
    'ConnectTimeout=10',
    'ProxyCommand=none',
    'ControlPath=none',
  ]
  const words = options.flatMap((option) => ['-o', option])
  return ['-v', '-F', 'none', ...words, '-p', String(node.port), '-l', 'nobody', '--', node.address, 'true']
}
