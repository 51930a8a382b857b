import { createStore } from 'zustand'
import type { NodeId, TerminalId } from '../../../shared/model/ids.ts'
import type { EngineLink } from '../../api/link.ts'
import { createSubscribable, type Settable } from '../../api/subscribable.ts'
import { toggleOverlay } from '../../stores/overlays.ts'
import { TerminalScreen } from './terminalScreen.ts'
import { TerminalSession } from './terminalSession.ts'

/** One terminal on screen. It outlives the component that shows it. */
export interface Pane {
  readonly key: string
  readonly nodeId: NodeId
  readonly nodeName: string
  readonly screen: TerminalScreen
  readonly session: TerminalSession
  /** The search field of this pane is open. */
  readonly searching: Settable<boolean>
  /** Connects on first sight: after a reload a dozen tabs must not log in at once. */
  start(): void
}

/** A tab holds one pane, or several side by side. */
export interface DockTab {
  readonly key: string
  readonly panes: readonly Pane[]
}

export interface DockState {
  readonly tabs: readonly DockTab[]
  readonly activeTab: string | null
  /** The pane of the active tab that has the keyboard. */
  readonly activePane: string | null
}

export const dock = createStore<DockState>(() => ({ tabs: [], activeTab: null, activePane: null }))

interface PaneTarget {
  readonly nodeId: NodeId
  readonly nodeName: string
  readonly terminalId?: TerminalId
  /** Typed at the prompt, never executed. */
  readonly prefill?: string
}

let paneCount = 0

/** A control character could run what is only to be typed. */
const withoutControl = (text: string): string => text.replace(/[\u0000-\u001f\u007f]+/g, ' ')

function createPane(link: EngineLink, target: PaneTarget): Pane {
  const searching = createSubscribable(false)
  let prefill = target.prefill === undefined ? '' : withoutControl(target.prefill)
  let started = false
  const screen: TerminalScreen = new TerminalScreen({
    onInput: (text) => session.input(text),
    onResize: (size) => session.resize(size),
    openLink: (url) => link.shell.openExternal(url),
    onSearchKey: () => searching.set(true),
    onDockKey: () => toggleOverlay('dock'),
    copyText: (text) => void link.shell.copyText(text).catch(() => {}),
  })
  const typePrefill = (): void => {
    if (prefill === '') return
    session.input(prefill)
    prefill = ''
  }
  const output = {
    get size() {
      return screen.size
    },
    write: (bytes: Uint8Array, consumed: () => void) => {
      screen.write(bytes, consumed)
      typePrefill()
    },
    note: (text: string) => screen.note(text),
    reset: () => screen.reset(),
    leaveProgram: () => screen.leaveProgram(),
  }
  const session = new TerminalSession(
    link,
    { node: target.nodeId, nodeName: target.nodeName, terminalId: target.terminalId ?? null },
    output,
  )
  paneCount += 1
  return {
    key: `pane-${paneCount}`,
    nodeId: target.nodeId,
    nodeName: target.nodeName,
    screen,
    session,
    searching,
    start: () => {
      if (!started) void session.start()
      started = true
    },
  }
}

/** Opens a terminal in a tab of its own and shows it. */
export function openTab(link: EngineLink, target: PaneTarget, options: { readonly activate?: boolean } = {}): void {
  const pane = createPane(link, target)
  const tab: DockTab = { key: `tab-${pane.key}`, panes: [pane] }
  dock.setState((state) => {
    const show = options.activate !== false || state.activeTab === null
    return { tabs: [...state.tabs, tab], ...(show ? { activeTab: tab.key, activePane: pane.key } : {}) }
  })
}

/** A second terminal on the same node, beside the first. */
export function splitPane(link: EngineLink, tabKey: string, source: Pane): void {
  const pane = createPane(link, { nodeId: source.nodeId, nodeName: source.nodeName })
  dock.setState((state) => ({
    tabs: state.tabs.map((tab) => (tab.key === tabKey ? { ...tab, panes: [...tab.panes, pane] } : tab)),
    activePane: pane.key,
  }))
}

export function activateTab(key: string): void {
  dock.setState((state) => ({
    activeTab: key,
    activePane: state.tabs.find((tab) => tab.key === key)?.panes[0]?.key ?? null,
  }))
}

export const activatePane = (key: string): void => dock.setState({ activePane: key })

/** Ends the terminal on the node as well. */
export function closePane(pane: Pane): void {
  pane.session.close()
  pane.screen.dispose()
  dock.setState((state) => {
    const at = state.tabs.findIndex((tab) => tab.key === state.activeTab)
    const tabs = state.tabs
      .map((tab) => ({ ...tab, panes: tab.panes.filter((each) => each !== pane) }))
      .filter((tab) => tab.panes.length > 0)
    const active = tabs.find((tab) => tab.key === state.activeTab) ?? tabs[Math.min(at, tabs.length - 1)]
    const keeps = active?.panes.some((each) => each.key === state.activePane) === true
    return {
      tabs,
      activeTab: active?.key ?? null,
      activePane: keeps ? state.activePane : (active?.panes[0]?.key ?? null),
    }
  })
}

export const closeTab = (tab: DockTab): void => tab.panes.forEach(closePane)

/** Takes up what already runs, as after a reload of the page. What this page has opened itself is not taken twice. */
export async function restoreTerminals(link: EngineLink): Promise<void> {
  const running = await link.client.terminals.list()
  const panes = dock.getState().tabs.flatMap((tab) => tab.panes)
  // A pane that is just being opened does not know its id yet, but may be in the listing already.
  const isOurs = (terminal: (typeof running)[number]): boolean =>
    panes.some(
      (pane) =>
        pane.session.terminalId === terminal.id ||
        (pane.session.terminalId === null && pane.nodeId === terminal.nodeId),
    )
  for (const terminal of running) {
    if (isOurs(terminal) || terminal.status !== 'open') continue
    openTab(
      link,
      { nodeId: terminal.nodeId, nodeName: terminal.nodeName, terminalId: terminal.id },
      { activate: false },
    )
  }
}
