import { hardenedSshLines } from '../transfer/sshOptions.ts'

/** What `ssh` and `rsync` are told. Absolute paths. */
export interface AgentSshSettings {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly key: string
  readonly certificate: string
  readonly knownHosts: string
}

export const storageAlias = 'lockstep-storage'

/**
 * The client configuration for storage: this key with this certificate and nothing else (S0.39), no agent, no
 * passwords, and no host key that nobody accepted. Known hosts are looked up under the real name, so that lines a
 * person wrote, and `@cert-authority` lines, count.
 */
export function renderAgentSshConfig(settings: AgentSshSettings): string {
  const lines = [
    `Host ${storageAlias}`,
    ...hardenedSshLines,
    `HostName ${settings.host.replaceAll('%', '%%')}`,
    `Port ${settings.port}`,
    `User ${settings.user}`,
    `IdentityFile ${quoted(settings.key)}`,
    `CertificateFile ${quoted(settings.certificate)}`,
    'IdentityAgent none',
    `UserKnownHostsFile ${quoted(settings.knownHosts)}`,
  ]
  return `${lines.join('\n')}\n`
}

const quoted = (path: string): string => `"${path.replaceAll('%', '%%')}"`

/** Under which name storage stands in `known_hosts`. */
export function knownHostName(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`
}

/** `ssh -F <config>` for `rsync -e`, which splits at spaces and knows quotes, but no escape. */
export function sshCommandOf(configPath: string): string {
  return /^[A-Za-z0-9_./+:@-]+$/.test(configPath) ? `ssh -F ${configPath}` : `ssh -F "${configPath}"`
}
