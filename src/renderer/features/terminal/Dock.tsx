import '@xterm/xterm/css/xterm.css'
import { ChevronUp } from 'lucide-react'
import { type KeyboardEvent, type PointerEvent, useEffect, useSyncExternalStore } from 'react'
import { useStore } from 'zustand'
import { useLink, useLinkStatus } from '../../api/LinkContext.tsx'
import { plural } from '../../components/format.ts'
import { KeyHint } from '../../components/KeyHint.tsx'
import { useOverlay } from '../../stores/overlays.ts'
import { usePaneSize } from '../../stores/preferences.ts'
import { useReplica, useReplicaHandle } from '../../stores/ReplicaContext.tsx'
import { takeTerminalRequests, terminalRequests } from '../../stores/terminalRequests.ts'
import { DockBar } from './DockBar.tsx'
import { dock, openTab, restoreTerminals } from './dockModel.ts'
import { TerminalPane } from './TerminalPane.tsx'

const smallestHeight = 120
const stepPixels = 24

/** The terminals, at the bottom of every view: one line when they are not needed. */
export function Dock() {
  const [open, setOpen] = useOverlay('dock')
  useRequests()
  useRestore()
  return open ? <OpenDock onClose={() => setOpen(false)} /> : <DockLine onOpen={() => setOpen(true)} />
}

function useRequests(): void {
  const link = useLink()
  const replica = useReplicaHandle()
  const requests = useSyncExternalStore(terminalRequests.subscribe, terminalRequests.get)
  useEffect(() => {
    if (requests.length === 0) return
    for (const { nodeId, prefill } of takeTerminalRequests()) {
      const nodeName = replica.store.getState().nodes.get(nodeId)?.name ?? 'this node'
      openTab(link, { nodeId, nodeName, ...(prefill === undefined ? {} : { prefill }) })
    }
  }, [link, replica, requests])
}

/** Once connected; a page that cannot list them simply starts without. */
function useRestore(): void {
  const link = useLink()
  const live = useLinkStatus() === 'live'
  useEffect(() => {
    if (live) restoreTerminals(link).catch(() => {})
  }, [link, live])
}

function DockLine({ onOpen }: { readonly onOpen: () => void }) {
  const terminals = useStore(dock, (state) => state.tabs.reduce((sum, tab) => sum + tab.panes.length, 0))
  const running = useReplica((state) => [...state.runs.values()].filter((run) => run.status === 'running').length)
  return (
    <button
      type="button"
      onClick={onOpen}
      aria-expanded={false}
      className="flex h-7 shrink-0 items-center gap-3 border-t bg-surface px-4 text-left text-12 text-muted hover:bg-hover hover:text-text"
    >
      <ChevronUp aria-hidden className="size-3.5" />
      <span>
        {terminals === 0 ? 'No terminals' : plural(terminals, 'terminal')}
        {running > 0 && `, ${plural(running, 'run')} live`}
      </span>
      <span className="flex-1" />
      <KeyHint keys="Ctrl `" />
    </button>
  )
}

function OpenDock({ onClose }: { readonly onClose: () => void }) {
  const [height, setHeight] = usePaneSize('dock', 300)
  const { tabs, activeTab, activePane } = useStore(dock)
  const tab = tabs.find((each) => each.key === activeTab)
  return (
    <section
      aria-label="Terminals"
      className="relative flex max-h-[80vh] shrink-0 flex-col border-t border-line-strong bg-surface"
      style={{ height }}
    >
      <HeightHandle height={height} onResize={setHeight} />
      <DockBar onClose={onClose} />
      <div className="flex min-h-0 flex-1">
        {tab === undefined ? (
          <p className="m-auto text-muted">No terminal is open. Press + and choose a node, or t on the map.</p>
        ) : (
          tab.panes.map((pane) => (
            <TerminalPane key={pane.key} pane={pane} active={pane.key === activePane} alone={tab.panes.length === 1} />
          ))
        )}
      </div>
    </section>
  )
}

function HeightHandle({ height, onResize }: { readonly height: number; readonly onResize: (height: number) => void }) {
  const clamp = (next: number): number => Math.max(smallestHeight, Math.min(Math.floor(window.innerHeight * 0.8), next))
  const onPointerMove = (event: PointerEvent<HTMLDivElement>): void => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return
    const bottom = event.currentTarget.parentElement?.getBoundingClientRect().bottom ?? window.innerHeight
    onResize(clamp(bottom - event.clientY))
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowUp') onResize(clamp(height + stepPixels))
    else if (event.key === 'ArrowDown') onResize(clamp(height - stepPixels))
    else return
    event.preventDefault()
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a window splitter with focus is a separator, not a rule
    <div
      role="separator"
      tabIndex={0}
      aria-orientation="horizontal"
      aria-label="Height of the terminals"
      aria-valuenow={height}
      aria-valuemin={smallestHeight}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={onPointerMove}
      onKeyDown={onKeyDown}
      className="absolute inset-x-0 -top-1 z-10 h-2 cursor-row-resize touch-none hover:bg-accent/30"
    />
  )
}
