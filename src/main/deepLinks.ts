import { z } from 'zod'
import { deepLinkScheme } from '../shared/desktopBridge.ts'

const views = ['fleet', 'runs', 'certificates', 'plans', 'audit', 'settings'] as const
const longestLink = 512
const identifier = z.uuid()

/**
 * A link only ever names a place to look at; there is none that does anything. Whatever is not exactly one of
 * `lockstep://runs/<id>`, `lockstep://nodes/<id>` or `lockstep://<view>` is nothing.
 *
 * @returns the page's route, e.g. `#/runs/<id>`, or null
 */
export function parseDeepLink(link: string): string | null {
  if (link.length > longestLink || !URL.canParse(link)) return null
  const { protocol, hostname, pathname, search, hash, username, port } = new URL(link)
  if (protocol !== `${deepLinkScheme}:` || search !== '' || hash !== '' || username !== '' || port !== '') return null
  const [id = '', ...rest] = pathname.split('/').slice(1)
  if (rest.length > 0) return null
  if (id === '') return views.some((view) => view === hostname) ? `#/${hostname}` : null
  if (!identifier.safeParse(id).success) return null
  if (hostname === 'runs') return `#/runs/${id}`
  return hostname === 'nodes' ? `#/fleet?node=${id}` : null
}

/** The first link among the arguments of a second instance. */
export function findDeepLink(argv: readonly string[]): string | null {
  for (const argument of argv) {
    const hash = parseDeepLink(argument)
    if (hash !== null) return hash
  }
  return null
}
