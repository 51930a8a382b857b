/**
 * Lines of every client configuration that we write, for the engine and for agents: keys and accepted host keys only,
 * nothing asked, nothing forwarded, nothing shared, nothing taken from anywhere else, and silence is noticed.
 */
export const hardenedSshLines: readonly string[] = [
  // Unknown to older clients, which have no such warning either.
  'IgnoreUnknown WarnWeakCrypto',
  'WarnWeakCrypto no-pq-kex',
  'IdentitiesOnly yes',
  'AddKeysToAgent no',
  'GlobalKnownHostsFile none',
  'StrictHostKeyChecking yes',
  'UpdateHostKeys no',
  'CheckHostIP no',
  'VerifyHostKeyDNS no',
  'PreferredAuthentications publickey',
  'PasswordAuthentication no',
  'KbdInteractiveAuthentication no',
  'BatchMode yes',
  'Compression no',
  'ConnectTimeout 10',
  'ServerAliveInterval 15',
  'ServerAliveCountMax 3',
  'ControlMaster no',
  'ControlPath none',
  'ForwardAgent no',
  'ForwardX11 no',
  'ClearAllForwardings yes',
  'PermitLocalCommand no',
  'ProxyCommand none',
  'CanonicalizeHostname no',
  'LogLevel ERROR',
]
