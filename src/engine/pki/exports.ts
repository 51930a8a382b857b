import type { AuthorityExport, AuthorityKind } from '../../shared/model/certificate.ts'
import type { TrustedKey } from '../ports.ts'

/** What nodes, clients and agents need to trust an authority, as files to install. */
export function exportsOf(kind: AuthorityKind, keys: readonly TrustedKey[]): AuthorityExport[] {
  const fingerprints = keys.map(({ fingerprint }) => fingerprint)
  return filesOf(kind, keys).map((file) => ({ kind, fingerprints, ...file }))
}

function filesOf(
  kind: AuthorityKind,
  keys: readonly TrustedKey[],
): Pick<AuthorityExport, 'fileName' | 'use' | 'content'>[] {
  const lines = keys.map(({ publicKey }) => publicKey.trim())
  switch (kind) {
    case 'ssh-user':
      return [
        {
          fileName: 'trusted_user_ca.pub',
          use: 'Install it on every node as /etc/ssh/ca/trusted_user_ca.pub (root, 0644) and put into sshd_config: TrustedUserCAKeys /etc/ssh/ca/trusted_user_ca.pub',
          content: joined(lines),
        },
      ]
    case 'ssh-host':
      return [
        {
          fileName: 'known_hosts',
          use: 'Add these lines to ~/.ssh/known_hosts, or to /etc/ssh/ssh_known_hosts for everybody: then no client asks about a host key that this authority signed',
          content: joined(lines.map((line) => `@cert-authority * ${line}`)),
        },
      ]
    case 'x509':
      return [
        {
          fileName: 'root_ca.crt',
          use: 'Agents get it when they enroll and check it against the fingerprint in their join token; to install it by hand, make it readable for the agent and writable for root only, and compare the SHA-256 fingerprint',
          content: joined(lines),
        },
      ]
  }
}

const joined = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('')
