import { ChevronDown, Columns2, Download, Plus, RotateCw, Search, X } from 'lucide-react'
import { type KeyboardEvent, useId, useState, useSyncExternalStore } from 'react'
import { useStore } from 'zustand'
import { useLink } from '../../api/LinkContext.tsx'
import { classNames } from '../../components/classNames.ts'
import { IconButton } from '../../components/IconButton.tsx'
import { saveBlob } from '../../components/saveBlob.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { activateTab, closeTab, type DockTab, dock, openTab, type Pane, splitPane } from './dockModel.ts'
import type { SessionState } from './terminalSession.ts'

/** Four side by side are as narrow as is still of use. */
const mostPanes = 4

export function DockBar({ onClose }: { readonly onClose: () => void }) {
  const link = useLink()
  const { tabs, activeTab, activePane } = useStore(dock)
  const tab = tabs.find((each) => each.key === activeTab)
  const pane = tab?.panes.find((each) => each.key === activePane) ?? tab?.panes[0]
  return (
    <div className="flex h-8 shrink-0 items-stretch border-b">
      <div role="tablist" aria-label="Terminals" className="flex min-w-0 overflow-x-auto">
        {tabs.map((each) => (
          <Tab key={each.key} tab={each} active={each.key === activeTab} />
        ))}
      </div>
      <NewTerminal />
      <span className="flex-1" />
      {tab !== undefined && pane !== undefined && (
        <div className="flex items-center">
          <Reconnect pane={pane} />
          <IconButton
            label="Search (Ctrl+Shift+F)"
            icon={<Search className="size-4" />}
            onClick={() => pane.searching.set(true)}
          />
          <IconButton
            label="Save the output as a file (Shift: with its colours)"
            icon={<Download className="size-4" />}
            onClick={(event) => saveOutput(pane, { withColours: event.shiftKey })}
          />
          <IconButton
            label={`Another terminal on ${pane.nodeName} beside this one`}
            icon={<Columns2 className="size-4" />}
            disabled={tab.panes.length >= mostPanes}
            onClick={() => splitPane(link, tab.key, pane)}
          />
        </div>
      )}
      <IconButton
        className="mx-1 self-center"
        label="Hide the terminals (Ctrl+`)"
        icon={<ChevronDown className="size-4" />}
        onClick={onClose}
      />
    </div>
  )
}

/** Plain text to read and search; with colours it is what `cat` shows as it was. */
function saveOutput(pane: Pane, { withColours }: { readonly withColours: boolean }): void {
  const text = withColours ? pane.screen.serialized() : pane.screen.text()
  saveBlob(new Blob([text], { type: 'text/plain' }), `${pane.nodeName}-terminal.${withColours ? 'ansi' : 'txt'}`)
}

const useSession = (pane: Pane): SessionState =>
  useSyncExternalStore(pane.session.state.subscribe, pane.session.state.get)

const stateWords: Readonly<Record<SessionState['status'], string>> = {
  opening: 'connecting',
  open: 'open',
  reattaching: 'attaching again',
  exited: 'ended',
  ended: 'not connected',
}

function Tab({ tab, active }: { readonly tab: DockTab; readonly active: boolean }) {
  const [first] = tab.panes
  if (first === undefined) return null
  return (
    <div
      className={classNames(
        'group flex items-center border-r pr-1',
        active ? 'bg-ground text-text shadow-[inset_0_2px_0_var(--accent)]' : 'text-muted hover:bg-hover',
      )}
    >
      <button
        type="button"
        role="tab"
        aria-selected={active}
        onClick={() => activateTab(tab.key)}
        className="flex h-full items-center gap-2 pr-1 pl-3 text-12 whitespace-nowrap"
      >
        <SessionDot pane={first} />
        {first.nodeName}
        {tab.panes.length > 1 && <span className="text-faint">×{tab.panes.length}</span>}
      </button>
      <IconButton
        className="size-5"
        label={`Close the terminal on ${first.nodeName}`}
        icon={<X className="size-3" />}
        onClick={() => closeTab(tab)}
      />
    </div>
  )
}

/** Filled while the program runs, hollow when it has ended: shape and word, not colour alone. */
function SessionDot({ pane }: { readonly pane: Pane }) {
  const session = useSession(pane)
  const running = session.status === 'open'
  const waiting = session.status === 'opening' || session.status === 'reattaching'
  return (
    <span
      role="img"
      aria-label={stateWords[session.status]}
      className={classNames(
        'size-2 rounded-full border',
        running ? 'border-accent bg-accent' : waiting ? 'border-dashed border-busy' : 'border-faint',
      )}
    />
  )
}

function Reconnect({ pane }: { readonly pane: Pane }) {
  const session = useSession(pane)
  if (session.status !== 'exited' && session.status !== 'ended') return null
  return (
    <IconButton
      label="Connect again (Enter)"
      icon={<RotateCw className="size-4" />}
      onClick={() => void pane.session.reconnect()}
    />
  )
}

function NewTerminal() {
  const link = useLink()
  const nodes = useReplica((state) => state.nodes)
  const [asking, setAsking] = useState(false)
  const [name, setName] = useState('')
  const listId = useId()
  const close = (): void => {
    setAsking(false)
    setName('')
  }
  const open = (): void => {
    const node = [...nodes.values()].find((each) => each.name.toLowerCase() === name.trim().toLowerCase())
    if (node === undefined) return
    openTab(link, { nodeId: node.id, nodeName: node.name })
    close()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') open()
    else if (event.key === 'Escape') close()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  if (!asking)
    return (
      <IconButton
        className="mx-1 self-center"
        label="New terminal"
        icon={<Plus className="size-4" />}
        onClick={() => setAsking(true)}
      />
    )
  const unknown =
    name !== '' && ![...nodes.values()].some((node) => node.name.toLowerCase().includes(name.trim().toLowerCase()))
  return (
    <span className="flex items-center gap-2 px-2">
      <input
        // biome-ignore lint/a11y/noAutofocus: it appears because the person asked for a terminal
        autoFocus
        aria-label="Node for the new terminal"
        placeholder="Node, then Enter"
        list={listId}
        value={name}
        onChange={(event) => setName(event.target.value)}
        onKeyDown={onKeyDown}
        onBlur={close}
        className={classNames(
          'h-6 w-48 rounded-md border bg-ground px-2 text-12',
          unknown ? 'border-error' : 'border-line-strong',
        )}
      />
      {unknown && <span className="text-12 text-error">No such node.</span>}
      <datalist id={listId}>
        {[...nodes.values()].slice(0, 500).map((node) => (
          <option key={node.id} value={node.name} />
        ))}
      </datalist>
    </span>
  )
}
