import { CSPProvider } from '@base-ui/react/csp-provider'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createRoot } from 'react-dom/client'
import { App } from './App.tsx'
import { LinkProvider } from './api/LinkContext.tsx'
import type { EngineLink } from './api/link.ts'
import { TooltipProvider } from './components/Tooltip.tsx'
import { cspNonce } from './cspNonce.ts'
import { ReplicaProvider } from './stores/ReplicaContext.tsx'
import { createReplica } from './stores/replica.ts'
import { followTheme } from './styles/theme.ts'

/** Puts the console into `#root`, fed by this link, for as long as the page lives. */
export function mount(link: EngineLink): void {
  followTheme()
  const replica = createReplica(link)
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false, refetchOnWindowFocus: false } } })
  createRoot(document.getElementById('root') as HTMLElement).render(
    <CSPProvider nonce={cspNonce}>
      <QueryClientProvider client={queries}>
        <LinkProvider link={link}>
          <ReplicaProvider replica={replica}>
            <TooltipProvider>
              <App />
            </TooltipProvider>
          </ReplicaProvider>
        </LinkProvider>
      </QueryClientProvider>
    </CSPProvider>,
  )
}
