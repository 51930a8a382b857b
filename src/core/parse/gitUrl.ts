/** Where a remote lies, as git reads it. */
export type GitUrl =
  /**
   * `url` without a user: what git gets shows in the list of processes, and a token may stand in the place of a name.
   * `host` with its port, as a credential helper is told.
   */
  | { readonly kind: 'https'; readonly url: string; readonly host: string; readonly hasPassword: boolean }
  /** `path` as the server gets it: absolute, or relative to the home directory of the user there. */
  | {
      readonly kind: 'ssh'
      readonly user: string | null
      readonly host: string
      readonly port: number
      readonly path: string
      readonly hasPassword: boolean
    }
  /** A directory of this machine. */
  | { readonly kind: 'file'; readonly path: string }
  /** Another way, or a text of which git and we might read different hosts. */
  | { readonly kind: 'other'; readonly scheme: string }

/** Letters, digits, `.`, `-` and `_`: nothing that a shell, ssh or a list of known hosts reads as anything else. */
const hostName = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?$/
const bracketed = /^\[[0-9A-Fa-f:.]+\]$/

/** Reads a URL, the short form `user@host:path` or a path. */
export function parseGitUrl(text: string): GitUrl {
  if (/[\u0000-\u001f\u007f]/.test(text)) return { kind: 'other', scheme: 'unreadable' }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return withoutScheme(text)
  if (scheme === 'file') return { kind: 'file', path: decoded(text.slice('file://'.length)) }
  if (scheme === 'https') return httpsUrl(text)
  if (scheme === 'ssh' || scheme === 'git+ssh' || scheme === 'ssh+git') return sshUrl(text)
  return { kind: 'other', scheme }
}

/** A colon before the first slash makes a host of what stands before it. */
function withoutScheme(text: string): GitUrl {
  const helper = /^([A-Za-z0-9]+)::/.exec(text)?.[1]
  if (helper !== undefined) return { kind: 'other', scheme: helper }
  const match = /^(?:([^@/:]+)@)?(\[[0-9A-Fa-f:.]+\]|[^:/@]+):(.*)$/s.exec(text)
  // git takes what has a colon before the first slash for a host, whatever it is.
  if (match === null) return /^[^/]*:/.test(text) ? { kind: 'other', scheme: 'ssh' } : { kind: 'file', path: text }
  const [, user, host = '', path = ''] = match
  if (!isHost(host)) return { kind: 'other', scheme: 'ssh' }
  return { kind: 'ssh', user: user ?? null, host: withoutBrackets(host), port: 22, path, hasPassword: false }
}

const isHost = (host: string): boolean => hostName.test(host) || bracketed.test(host)

function httpsUrl(url: string): GitUrl {
  const match = /^https:\/\/(?:([^@/?#\\]*)@)?(\[[^\]]*\]|[^:@/?#\\]*)(:\d{1,5})?(?=[/?#]|$)(.*)$/is.exec(url)
  const [, user = '', name = '', port = '', rest = ''] = match ?? []
  if (!isHost(name)) return { kind: 'other', scheme: 'https' }
  const host = `${name}${port}`
  return { kind: 'https', url: `https://${host}${rest}`, host, hasPassword: user.includes(':') }
}

function sshUrl(text: string): GitUrl {
  const match = /^[^:]+:\/\/(?:([^@/]*)@)?(\[[0-9A-Fa-f:.]+\]|[^:/@[\]]+)(?::(\d{1,5}))?(\/.*)?$/s.exec(text)
  if (match === null) return { kind: 'other', scheme: 'ssh' }
  const [, user, host = '', port, path = '/'] = match
  if (!isHost(host)) return { kind: 'other', scheme: 'ssh' }
  const there = decoded(path)
  return {
    kind: 'ssh',
    // A password there would be one in plain text; ssh takes none.
    user: user === undefined || user === '' ? null : (user.split(':')[0] ?? null),
    host: withoutBrackets(host),
    port: port === undefined ? 22 : Number(port),
    path: there.startsWith('/~') ? there.slice(1) : there,
    hasPassword: user?.includes(':') === true,
  }
}

/** Scheme, host and port: logins are for one of these. Null for everything but https and ssh. */
export function serverOf(text: string): string | null {
  const parsed = parseGitUrl(text)
  if (parsed.kind === 'ssh') return `ssh://${parsed.host.toLowerCase()}:${parsed.port}`
  if (parsed.kind !== 'https') return null
  const host = parsed.host.toLowerCase()
  return `https://${/:\d+$/.test(host) ? host : `${host}:443`}`
}

/** Both lie on one server; what is on none is not. */
export function isSameServer(one: string, other: string): boolean {
  const server = serverOf(one)
  return server !== null && server === serverOf(other)
}

const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** For a person: what might be a password is left out. */
export function shownUrl(text: string): string {
  return text.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)([^/]*)@/, (_all, scheme: string, user: string) =>
    scheme.toLowerCase().includes('ssh') ? `${scheme}${user.replace(/:.*$/s, '')}@` : scheme,
  )
}

/**
 * The URL of a submodule, which may be relative to the one of the repository it is in (`../other.git`).
 * Null: it leads out of the top.
 */
export function resolveSubmoduleUrl(parent: string, url: string): string | null {
  if (!/^\.\.?(?:\/|$)/.test(url)) return url
  let base = parent.replace(/\/+$/, '')
  let rest = url
  while (/^\.\.?(?:\/|$)/.test(rest)) {
    const up = rest.startsWith('..')
    rest = rest.replace(/^\.\.?(?:\/+|$)/, '')
    if (!up) continue
    const cut = Math.max(base.lastIndexOf('/'), schemeEnd(base) === 0 ? base.lastIndexOf(':') : -1)
    if (cut < schemeEnd(base) || cut <= 0) return null
    base = base[cut] === ':' ? base.slice(0, cut + 1) : base.slice(0, cut)
  }
  if (rest === '') return base
  return base.endsWith(':') ? `${base}${rest}` : `${base}/${rest}`
}

/** Where the host begins; 0 without a scheme. */
const schemeEnd = (url: string): number => /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(url)?.[0].length ?? 0
