import { useSyncExternalStore } from 'react'

/** A place in the console as it stands in the address bar: `#/runs/<id>?status=failed`. Shareable. */
export interface Route {
  /** First segment: which view. */
  readonly view: string
  /** The segments after it, decoded. */
  readonly path: readonly string[]
  readonly query: Readonly<Record<string, string>>
}

export const defaultView = 'fleet'

/** Never throws: what cannot be decoded is taken literally. */
export function parseHash(hash: string): Route {
  const [pathText = '', queryText = ''] = hash.replace(/^#?\/?/, '').split('?', 2)
  const [view = '', ...path] = pathText
    .split('/')
    .filter((segment) => segment !== '')
    .map(decode)
  return { view: view === '' ? defaultView : view, path, query: Object.fromEntries(new URLSearchParams(queryText)) }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** Query values that are empty are left out. */
export function formatHash(route: {
  readonly view: string
  readonly path?: readonly string[]
  readonly query?: Readonly<Record<string, string | undefined>>
}): string {
  const path = [route.view, ...(route.path ?? [])].map(encodeURIComponent).join('/')
  const entries = Object.entries(route.query ?? {}).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  )
  const query = new URLSearchParams(entries).toString()
  return `#/${path}${query === '' ? '' : `?${query}`}`
}

export const runHash = (runId: string): string => formatHash({ view: 'runs', path: [runId] })

export const rolloutHash = (rolloutId: string): string => formatHash({ view: 'runs', path: ['rollout', rolloutId] })
/** Opens the drawer of a node on the map. */
export const nodeHash = (nodeId: string): string => formatHash({ view: 'fleet', query: { node: nodeId } })
/** Opens the drawer of an agent. */
export const agentHash = (agentId: string): string => formatHash({ view: 'agents', query: { agent: agentId } })
/** A repository, by id or by name. */
export const repositoryHash = (repository: string, page?: string): string =>
  formatHash({ view: 'repositories', path: page === undefined ? [repository] : [repository, page] })
/** The gateway in the settings. */
export const gatewayHash = formatHash({ view: 'settings', query: { section: 'gateway' } })
/** The map, narrowed to what a filter means. */
export const filterHash = (filter: string): string => formatHash({ view: 'fleet', query: { filter } })

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}

let cachedHash: string | null = null
let cachedRoute: Route = parseHash('')

export function currentRoute(): Route {
  if (location.hash !== cachedHash) {
    cachedHash = location.hash
    cachedRoute = parseHash(location.hash)
  }
  return cachedRoute
}

export const useRoute = (): Route => useSyncExternalStore(subscribe, currentRoute)

export function navigate(hash: string): void {
  if (location.hash !== hash) location.hash = hash
}

/** Changes parts of the query in place; `replace` leaves no entry in the history, for what changes with every key. */
export function updateQuery(
  changes: Readonly<Record<string, string | undefined>>,
  options: { readonly replace?: boolean } = {},
): void {
  const route = currentRoute()
  const hash = formatHash({ ...route, query: { ...route.query, ...changes } })
  if (hash === location.hash) return
  if (options.replace !== true) {
    location.hash = hash
    return
  }
  history.replaceState(history.state, '', hash)
  window.dispatchEvent(new HashChangeEvent('hashchange'))
}
