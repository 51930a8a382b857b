const passedOn = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'TMPDIR',
  'TZ',
  'SystemRoot',
  'SYSTEMROOT',
  'TEMP',
  'TMP',
  'USERPROFILE',
]

/** Directories of system programs that a desktop session or a service often leaves out of PATH. */
const fallbackPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * What a program is given unless its caller adds to it: enough to find programs and a home, and a locale that
 * keeps messages in the language our parsers know. No agent sockets, tokens or passphrases of the operator.
 */
export function minimalEnvironment(
  source: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const environment: Record<string, string> = { PATH: fallbackPath, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' }
  for (const name of passedOn) {
    const value = source[name]
    if (value !== undefined) environment[name] = value
  }
  return environment
}
