import type { RootCertificate, Store, X509Authority } from '../ports.ts'

/**
 * The authority with its roots kept in memory: every heartbeat answers with them, and they change only with an event.
 * For as long as the store is open.
 */
export function withCachedRoots(x509: X509Authority, store: Pick<Store, 'onCommitted'>): X509Authority {
  let known: Promise<RootCertificate[]> | null = null
  store.onCommitted((events) => {
    const changed = events.some(({ change }) => change.kind === 'authority.changed' && change.authority === 'x509')
    if (changed) known = null
  })
  const ask = (): Promise<RootCertificate[]> => {
    const asked = x509.roots()
    known = asked
    asked.catch(() => {
      // Tried again by whoever asks next.
      if (known === asked) known = null
    })
    return asked
  }
  return {
    roots: () => known ?? ask(),
    issueServer: (options) => x509.issueServer(options),
    issueClient: (options) => x509.issueClient(options),
  }
}
