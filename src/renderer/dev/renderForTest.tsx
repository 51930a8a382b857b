import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { render, waitFor } from '@testing-library/react'
import type { ReactNode } from 'react'
import { LinkProvider } from '../api/LinkContext.tsx'
import type { FakeLink } from '../api/links/fake.ts'
import { TooltipProvider } from '../components/Tooltip.tsx'
import { ReplicaProvider } from '../stores/ReplicaContext.tsx'
import { createReplica } from '../stores/replica.ts'
import { currentRoute, type Route, useRoute } from '../stores/route.ts'

/** A test page has no layout; virtual lists need a height to put rows into. */
function giveHeight(): void {
  for (const name of ['clientHeight', 'offsetHeight'] as const) {
    Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get: () => 800 })
  }
  for (const name of ['clientWidth', 'offsetWidth'] as const) {
    Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get: () => 1200 })
  }
}

/**
 * Shows a view over an engine that exists in the test only, at a place in the console.
 * @returns when the replica is live; `stop` ends everything that would outlive the test
 */
export async function renderView(
  View: (props: { readonly route: Route }) => ReactNode,
  link: FakeLink,
  hash: string,
): Promise<{ stop(): void }> {
  giveHeight()
  location.hash = hash
  const replica = createReplica(link, { flushIntervalMs: 0 })
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  function Routed() {
    return <View route={useRoute()} />
  }
  const view = render(
    <QueryClientProvider client={queries}>
      <LinkProvider link={link}>
        <ReplicaProvider replica={replica}>
          <TooltipProvider>
            <Routed />
          </TooltipProvider>
        </ReplicaProvider>
      </LinkProvider>
    </QueryClientProvider>,
  )
  await waitFor(() => {
    if (replica.store.getState().connection !== 'live') throw new Error('not live yet')
  })
  return {
    stop: () => {
      view.unmount()
      replica.stop()
      queries.clear()
      link.close()
      location.hash = ''
      currentRoute()
    },
  }
}
