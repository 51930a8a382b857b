import { ArrowDown, ArrowUp, X } from 'lucide-react'
import { type KeyboardEvent, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { classNames } from '../../components/classNames.ts'
import { IconButton } from '../../components/IconButton.tsx'
import { activatePane, type Pane } from './dockModel.ts'

interface TerminalPaneProps {
  readonly pane: Pane
  readonly active: boolean
  readonly alone: boolean
}

/** Gives a terminal its place in the document while it is visible. */
export function TerminalPane({ pane, active, alone }: TerminalPaneProps) {
  const host = useRef<HTMLDivElement>(null)
  const searching = useSyncExternalStore(pane.searching.subscribe, pane.searching.get)
  useEffect(() => {
    const element = host.current
    if (element === null) return
    pane.screen.mount(element)
    pane.start()
    return () => pane.screen.unmount()
  }, [pane])
  useEffect(() => {
    if (active && !searching) pane.screen.focus()
  }, [pane, active, searching])
  return (
    <section
      aria-label={`Terminal on ${pane.nodeName}`}
      data-terminal
      onFocus={() => activatePane(pane.key)}
      className={classNames(
        'relative min-w-0 flex-1 bg-ground py-1 pl-2',
        !alone && 'border-l first:border-l-0',
        !alone && active && 'shadow-[inset_0_2px_0_var(--accent)]',
      )}
    >
      <div ref={host} className="h-full w-full" />
      {searching && <SearchBar pane={pane} />}
    </section>
  )
}

function SearchBar({ pane }: { readonly pane: Pane }) {
  const [query, setQuery] = useState('')
  const [found, setFound] = useState(true)
  const close = (): void => {
    pane.screen.clearSearch()
    pane.searching.set(false)
  }
  const step = (forward: boolean): void =>
    setFound(forward ? pane.screen.findNext(query) : pane.screen.findPrevious(query))
  const onChange = (text: string): void => {
    setQuery(text)
    setFound(text === '' || pane.screen.findNext(text, { incremental: true }))
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') step(!event.shiftKey)
    else if (event.key === 'Escape') close()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <search className="absolute top-2 right-6 z-10 flex items-center gap-1 rounded-md border border-line-strong bg-raised p-1 shadow-float">
      <input
        // biome-ignore lint/a11y/noAutofocus: it appears because the person asked to search
        autoFocus
        aria-label="Search in the terminal"
        value={query}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
        className={classNames(
          'h-6 w-48 rounded-md border bg-ground px-2 text-12',
          found ? 'border-line-strong' : 'border-error',
        )}
      />
      <span role="status" className="w-14 text-12 text-muted">
        {found ? '' : 'not found'}
      </span>
      <IconButton label="Previous (Shift+Enter)" icon={<ArrowUp className="size-3.5" />} onClick={() => step(false)} />
      <IconButton label="Next (Enter)" icon={<ArrowDown className="size-3.5" />} onClick={() => step(true)} />
      <IconButton label="Close the search (Esc)" icon={<X className="size-3.5" />} onClick={close} />
    </search>
  )
}
