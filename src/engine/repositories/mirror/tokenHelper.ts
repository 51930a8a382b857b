/** Names of our own variables: what stands in them is nowhere else. */
const names = { host: 'LOCKSTEP_GIT_HOST', user: 'LOCKSTEP_GIT_USER', token: 'LOCKSTEP_GIT_TOKEN' } as const

/**
 * A credential helper as git takes it in a setting: the text of a small program, which reads the token from its
 * environment. It answers for one host over https and for no other, wherever a redirect or a submodule leads.
 */
export const credentialHelper = [
  '!f() {',
  '[ "$1" = get ] || exit 0; p=; h=;',
  'while IFS= read -r l && [ -n "$l" ]; do',
  `case "$l" in protocol=https) p=1 ;; "host=$${names.host}") h=1 ;; esac;`,
  'done;',
  `[ "$p$h" = 11 ] && printf "username=%s\\npassword=%s\\n" "$${names.user}" "$${names.token}";`,
  '}; f',
].join(' ')

export function tokenEnvironment(options: {
  readonly host: string
  readonly user: string
  readonly token: string
}): Record<string, string> {
  return { [names.host]: options.host, [names.user]: options.user, [names.token]: options.token }
}
