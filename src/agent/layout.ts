import { join } from 'node:path'

/** Where the files of an agent lie (S0.30-35). Absolute paths. */
export interface AgentLayout {
  readonly configDirectory: string
  readonly configFile: string
  /** Long-lived private key (S0.31). */
  readonly key: string
  /** S0.32. */
  readonly publicKey: string
  /** Short-lived (S0.33). */
  readonly certificate: string
  /** SHA-256 of the root of the authority that is pinned (S0.34). */
  readonly caFingerprint: string
  /** Host keys of storage that a person accepted. */
  readonly knownHosts: string
  /** What the enrolment gave: how to reach the control plane and prove who we are. */
  readonly enrollment: string
  readonly clientKey: string
  readonly clientCertificate: string
  readonly roots: string
  readonly logs: string
}

/** In this order `agent.yaml` is looked for. */
export const configDirectories = ['/etc/lockstep', '/etc/sync-agent'] as const

export function layoutOf(configDirectory: string): AgentLayout {
  const ssh = (name: string): string => join(configDirectory, 'ssh', name)
  const control = (name: string): string => join(configDirectory, 'control-plane', name)
  return {
    configDirectory,
    configFile: join(configDirectory, 'agent.yaml'),
    key: ssh('agent_key'),
    publicKey: ssh('agent_key.pub'),
    certificate: ssh('agent_key-cert.pub'),
    caFingerprint: ssh('ca_fingerprint'),
    knownHosts: ssh('known_hosts'),
    enrollment: control('agent.json'),
    clientKey: control('client.key'),
    clientCertificate: control('client.crt'),
    roots: control('roots.pem'),
    logs: join(configDirectory, 'logs'),
  }
}

/** Where what has to survive a crash lies. */
export interface StateLayout {
  readonly directory: string
  readonly runs: string
  readonly spool: string
  readonly sshConfig: string
  readonly durations: string
  readonly schedule: string
  /** What was told of fetched deliveries. */
  readonly deliveries: string
}

export function stateLayoutOf(directory: string): StateLayout {
  return {
    directory,
    runs: join(directory, 'runs'),
    spool: join(directory, 'spool'),
    sshConfig: join(directory, 'ssh_config'),
    durations: join(directory, 'durations.json'),
    schedule: join(directory, 'schedule.json'),
    deliveries: join(directory, 'deliveries.json'),
  }
}
