import { lazy, Suspense, useEffect } from 'react'
import { useLink } from './api/LinkContext.tsx'
import { ConnectionBanner } from './ConnectionBanner.tsx'
import { EmptyState } from './components/EmptyState.tsx'
import { ErrorBoundary } from './components/ErrorBoundary.tsx'
import { ConnectDialog } from './features/connect/ConnectDialog.tsx'
import { RemoteStrip } from './features/connect/RemoteStrip.tsx'
import { GuideDialog } from './features/guides/GuideDialog.tsx'
import { useStateNotices } from './features/notices/useStateNotices.ts'
import { Palette } from './features/palette/Palette.tsx'
import { VaultGate } from './features/settings/VaultGate.tsx'
import { ShortcutSheet } from './features/shortcuts/ShortcutSheet.tsx'
import { useGlobalShortcuts } from './features/shortcuts/useGlobalShortcuts.ts'
import { Rail } from './Rail.tsx'
import { overlays, toggleOverlay } from './stores/overlays.ts'
import { navigate, type Route, useRoute } from './stores/route.ts'
import { views } from './views.ts'

const dockModules = import.meta.glob<{ readonly Dock: () => React.ReactNode }>('./features/terminal/Dock.tsx')
const loadDock = dockModules['./features/terminal/Dock.tsx']
const Dock = loadDock === undefined ? null : lazy(async () => ({ default: (await loadDock()).Dock }))

/** The frame: rail, one view, the dock line; everything else lies over it. */
export function App() {
  const route = useRoute()
  useGlobalShortcuts()
  useDesktopCommands()
  useStateNotices()
  return (
    <div className="flex h-full">
      <Rail current={route.view} />
      <div className="flex min-w-0 flex-1 flex-col">
        <RemoteStrip />
        <ConnectionBanner />
        <VaultGate />
        <main className="relative min-h-0 flex-1">
          <ErrorBoundary key={route.view} what={`The ${route.view} view`}>
            <Suspense fallback={null}>
              <CurrentView route={route} />
            </Suspense>
          </ErrorBoundary>
        </main>
        {Dock !== null && (
          <ErrorBoundary what="The terminal dock">
            <Suspense fallback={null}>
              <Dock />
            </Suspense>
          </ErrorBoundary>
        )}
      </div>
      <Palette />
      <GuideDialog />
      <ShortcutSheet />
      <ConnectDialog />
    </div>
  )
}

function CurrentView({ route }: { readonly route: Route }) {
  const entry = views.find((view) => view.id === route.view)
  if (entry === undefined) {
    return (
      <EmptyState title="There is no such page">
        Nothing lives at “{route.view}”. The link may come from another version; the rail on the left shows what there
        is.
      </EmptyState>
    )
  }
  return <entry.View route={route} />
}

/** Menu items and deep links of the desktop app. */
function useDesktopCommands(): void {
  const { desktop } = useLink().shell
  useEffect(() => desktop?.onNavigate(navigate), [desktop])
  useEffect(
    () =>
      desktop?.onCommand((command) =>
        command === 'dock' ? toggleOverlay('dock') : overlays.setState({ [command]: true }),
      ),
    [desktop],
  )
}
