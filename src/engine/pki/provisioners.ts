import { maxAutomationLifetimeSeconds, type SigningPolicy, syncAgentPrincipalPattern } from '../../core/ca/policy.ts'
import type { CertificatePurpose } from '../../shared/model/certificate.ts'

/** Who may ask for a certificate of one purpose, and what it looks like before the request adds to it. */
export interface Provisioner {
  readonly policy: SigningPolicy
  /** What a certificate carries when the request names nothing. Never more than the purpose needs. */
  readonly defaultExtensions: readonly string[]
}

export type Provisioners = Readonly<Record<CertificatePurpose, Provisioner>>

const criticalOptions = ['force-command', 'source-address'] as const

function userPolicy(name: string, principalPattern: string, allowedExtensions: readonly string[]): SigningPolicy {
  return {
    name,
    certificateType: 'user',
    principalPattern,
    maxLifetimeSeconds: maxAutomationLifetimeSeconds,
    allowedExtensions,
    allowedCriticalOptions: criticalOptions,
  }
}

/** Host certificates live 30 days (D3) and carry names, no options. */
const hostPolicy: SigningPolicy = {
  name: 'host',
  certificateType: 'host',
  principalPattern: '^[A-Za-z0-9:][A-Za-z0-9.:-]*$',
  maxLifetimeSeconds: 30 * 86_400,
  allowedExtensions: [],
  allowedCriticalOptions: [],
}

/** A policy pattern for exactly these principals. */
export function principalPatternOf(principals: readonly string[]): string {
  return `^${principals.map((principal) => principal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|')}$`
}

/**
 * The provisioners of the embedded SSH authorities. Extensions start from none: `permit-pty` is for terminals and
 * for what a person signs by hand; nothing may ever forward ports, agents or X11.
 */
export function createProvisioners(principalPattern = syncAgentPrincipalPattern): Provisioners {
  return {
    automation: { policy: userPolicy('automation', principalPattern, []), defaultExtensions: [] },
    terminal: { policy: userPolicy('terminal', principalPattern, ['permit-pty']), defaultExtensions: ['permit-pty'] },
    external: { policy: userPolicy('external', principalPattern, ['permit-pty']), defaultExtensions: [] },
    agent: { policy: userPolicy('agent', principalPattern, []), defaultExtensions: [] },
    probe: { policy: userPolicy('probe', principalPattern, []), defaultExtensions: [] },
    host: { policy: hostPolicy, defaultExtensions: [] },
  }
}
