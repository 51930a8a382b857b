/** Where a remote lies, as git reads it. */
export type GitUrl =
  /** `host` with its port, as a credential helper is told. */
  | { readonly kind: 'https'; readonly url: string; readonly host: string; readonly hasCredentials: boolean }
  /** `path` as the server gets it: absolute, or relative to the home directory of the user there. */
  | {
      readonly kind: 'ssh'
      readonly user: string | null
      readonly host: string
      readonly port: number
      readonly path: string
    }
  /** A directory of this machine. */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'other'; readonly scheme: string }

/** Reads a URL, the short form `user@host:path` or a path. */
export function parseGitUrl(text: string): GitUrl {
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
  const match = /^(?:([^@/]+)@)?(\[[0-9A-Fa-f:.]+\]|[^:/@]+):(.*)$/s.exec(text)
  if (match === null) return { kind: 'file', path: text }
  const [, user, host = '', path = ''] = match
  return { kind: 'ssh', user: user ?? null, host: withoutBrackets(host), port: 22, path }
}

function httpsUrl(url: string): GitUrl {
  const authority = /^https:\/\/([^/?#]*)/i.exec(url)?.[1] ?? ''
  const at = authority.lastIndexOf('@')
  return { kind: 'https', url, host: authority.slice(at + 1), hasCredentials: authority.slice(0, at + 1).includes(':') }
}

function sshUrl(text: string): GitUrl {
  const match = /^[^:]+:\/\/(?:([^@/]*)@)?(\[[0-9A-Fa-f:.]+\]|[^:/@[\]]+)(?::(\d{1,5}))?(\/.*)?$/s.exec(text)
  if (match === null) return { kind: 'other', scheme: 'ssh' }
  const [, user, host = '', port, path = '/'] = match
  const there = decoded(path)
  return {
    kind: 'ssh',
    // A password there would be one in plain text; ssh takes none.
    user: user === undefined || user === '' ? null : (user.split(':')[0] ?? null),
    host: withoutBrackets(host),
    port: port === undefined ? 22 : Number(port),
    path: there.startsWith('/~') ? there.slice(1) : there,
  }
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
  return text.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)[^/@]*@/, (_all, scheme: string) =>
    scheme.toLowerCase().startsWith('ssh') ? _all.replace(/:[^/:@]*@$/, '@') : scheme,
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
