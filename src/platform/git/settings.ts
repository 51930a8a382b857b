/** Ways to a repository that git may take. Everything else (`ext`, `git`, `http`) is refused by git itself. */
export type GitProtocol = 'https' | 'ssh' | 'file'

/**
 * Settings of every call. They are stronger than those of the repository that git works in: nothing that lies in a
 * checkout runs a program of its own, and nothing is cleaned up behind our back.
 */
export const hardenedSettings: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.alternateRefsCommand=true',
  'core.attributesFile=/dev/null',
  'core.quotePath=false',
  'core.symlinks=true',
  'core.protectHFS=true',
  'core.protectNTFS=true',
  'core.longPaths=true',
  'core.untrackedCache=keep',
  'protocol.version=2',
  'credential.helper=',
  'credential.interactive=false',
  'http.sslVerify=true',
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=120',
  'gc.auto=0',
  'maintenance.auto=false',
  'fetch.unpackLimit=1',
  'fetch.recurseSubmodules=false',
  'fetch.writeCommitGraph=false',
  'submodule.recurse=false',
  'commit.gpgSign=false',
  'merge.verifySignatures=false',
  'log.showSignature=false',
  'advice.detachedHead=false',
  'i18n.logOutputEncoding=UTF-8',
  'color.ui=false',
]

/** Proxies and authorities for TLS are the operator's; git has them from its environment only. */
const passedOn = [
  'https_proxy',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'all_proxy',
  'no_proxy',
  'NO_PROXY',
  'GIT_SSL_CAINFO',
  'GIT_SSL_CAPATH',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
]

/** Nothing of the user's or the system's configuration, and nobody is asked anything. */
export function gitEnvironment(
  protocols: readonly GitProtocol[],
  source: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const environment: Record<string, string> = fixedGitEnvironment(protocols)
  for (const name of passedOn) {
    const value = source[name]
    if (value !== undefined && value !== '') environment[name] = value
  }
  return environment
}

/** The part that does not depend on this machine: also for git on another one. */
export function fixedGitEnvironment(protocols: readonly GitProtocol[]): Record<string, string> {
  return {
    LC_ALL: 'C.UTF-8',
    LANG: 'C.UTF-8',
    LANGUAGE: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    // Without one nobody gets to know a key or a host: who needs ssh brings a command of its own.
    GIT_SSH_COMMAND: 'false',
    GIT_SSH_VARIANT: 'ssh',
    GIT_ALLOW_PROTOCOL: protocols.join(':'),
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_PAGER: 'cat',
    GIT_EDITOR: 'false',
    GIT_LFS_SKIP_SMUDGE: '1',
  }
}

/** `-c` and a setting, for each of them; what stands last counts. */
export const settingArguments = (more: readonly string[] = []): string[] =>
  [...hardenedSettings, ...more].flatMap((setting) => ['-c', setting])
