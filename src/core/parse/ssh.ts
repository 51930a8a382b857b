import type { ConnectStage, HostKeyFinding } from '../diagnose/evidence.ts'

/** What the stderr of OpenSSH's `ssh` says about a connection that failed. */
export interface SshFailure {
  readonly stage: ConnectStage
  readonly errno?: string
  /** The line it was read from. */
  readonly line: string
}

interface FailurePattern {
  readonly pattern: RegExp
  readonly stage: ConnectStage
  readonly errno?: string
}

/** Wording of OpenSSH 8 to 10. In order: the first that matches any line is the cause. */
const failurePatterns: readonly FailurePattern[] = [
  {
    pattern: /Could not resolve hostname|Name or service not known|Temporary failure in name resolution/i,
    stage: 'resolve',
    errno: 'ENOTFOUND',
  },
  { pattern: /Connection refused/i, stage: 'connect', errno: 'ECONNREFUSED' },
  { pattern: /No route to host/i, stage: 'connect', errno: 'EHOSTUNREACH' },
  { pattern: /Network is unreachable/i, stage: 'connect', errno: 'ENETUNREACH' },
  {
    pattern: /Connection timed out during banner exchange|banner exchange: .*timed out/i,
    stage: 'handshake',
    errno: 'ETIMEDOUT',
  },
  { pattern: /(?:Connection|Operation) timed out/i, stage: 'connect', errno: 'ETIMEDOUT' },
  { pattern: /Exceeded MaxStartups|Not allowed at this time/i, stage: 'banner' },
  { pattern: /kex_exchange_identification: (?:read: )?Connection (?:reset|closed)/i, stage: 'banner' },
  {
    pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|No \S+ host key is known/i,
    stage: 'handshake',
  },
  { pattern: /Unable to negotiate|no matching (?:host key|key exchange|cipher)/i, stage: 'handshake', errno: 'EPROTO' },
  { pattern: /Permission denied \(|Too many authentication failures|no mutual signature/i, stage: 'authenticate' },
  { pattern: /open failed: .*(?:administratively prohibited|open failed)|channel \d+: open failed/i, stage: 'channel' },
  { pattern: /exec request failed|shell request failed|subsystem request failed/i, stage: 'channel' },
  {
    pattern:
      /Broken pipe|Connection (?:to \S+ )?(?:closed|reset)|Timeout, server .* not responding|client_loop: send disconnect/i,
    stage: 'command',
    errno: 'ECONNRESET',
  },
]

/** Null when nothing in the lines is about the connection. */
export function sshFailureOf(lines: readonly string[]): SshFailure | null {
  for (const { pattern, stage, errno } of failurePatterns) {
    const line = lines.find((candidate) => pattern.test(candidate))
    if (line !== undefined) return errno === undefined ? { stage, line } : { stage, errno, line }
  }
  return null
}

/** The host key complaint of `ssh` with strict checking. Null when it did not complain. */
export function findHostKeyComplaint(lines: readonly string[]): HostKeyFinding | null {
  const text = lines.join('\n')
  if (!/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No \S+ host key is known/i.test(text))
    return null
  const unknown = /No (\S+) host key is known/i.exec(text)
  const changed = /REMOTE HOST IDENTIFICATION HAS CHANGED/i.test(text)
  const named = unknown?.[1] ?? /fingerprint for the (\S+) key sent/i.exec(text)?.[1] ?? 'unknown'
  return {
    status: changed ? 'changed' : 'unknown',
    keyType: wireKeyType(named),
    offeredFingerprint: /SHA256:[A-Za-z0-9+/]+/.exec(text)?.[0] ?? '(not shown)',
    pinnedFingerprints: [],
  }
}

/** `ssh` names key types in capitals for people; we use the names of the wire. */
function wireKeyType(name: string): string {
  const names: Readonly<Record<string, string>> = {
    ED25519: 'ssh-ed25519',
    RSA: 'ssh-rsa',
    ECDSA: 'ecdsa-sha2-nistp256',
  }
  return names[name.toUpperCase()] ?? name
}

/** Server identification such as `SSH-2.0-OpenSSH_9.2p1 Debian-2`; null for anything else that was sent first. */
export function parseServerBanner(line: string): { readonly protocol: string; readonly software: string } | null {
  const match = /^SSH-(\d+\.\d+)-([\x21-\x7e]+(?: [\x20-\x7e]*)?)\s*$/.exec(line)
  return match === null ? null : { protocol: match[1] ?? '', software: (match[2] ?? '').trim() }
}
