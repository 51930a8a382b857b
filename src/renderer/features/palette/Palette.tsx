import { Dialog } from '@base-ui/react/dialog'
import { Activity, ArrowRight, CornerDownLeft, HardDriveUpload, type LucideIcon, Send, Server } from 'lucide-react'
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react'
import { classNames } from '../../components/classNames.ts'
import { KeyHint } from '../../components/KeyHint.tsx'
import { useOverlay } from '../../stores/overlays.ts'
import { displayKeys } from '../shortcuts/useGlobalShortcuts.ts'
import { type PaletteItem, rank } from './rank.ts'
import { usePaletteItems } from './usePaletteItems.ts'

const shownItems = 60

const icons: Readonly<Record<PaletteItem['kind'], LucideIcon>> = {
  view: ArrowRight,
  node: Server,
  agent: HardDriveUpload,
  run: Activity,
  plan: Send,
  action: CornerDownLeft,
}

/** One field that reaches everything. */
export function Palette() {
  const [open, setOpen] = useOverlay('palette')
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-ground opacity-60" />
        <Dialog.Popup className="fixed top-[14vh] left-1/2 z-50 flex max-h-[64vh] w-[600px] max-w-[92vw] -translate-x-1/2 flex-col overflow-hidden rounded-md border border-line-strong bg-raised shadow-float">
          <Dialog.Title className="sr-only">Find anything</Dialog.Title>
          <PaletteBody onClose={() => setOpen(false)} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function PaletteBody({ onClose }: { readonly onClose: () => void }) {
  const items = usePaletteItems()
  const [query, setQuery] = useState('')
  const [index, setIndex] = useState(0)
  const list = useRef<HTMLDivElement>(null)
  const found = useMemo(() => rank(items, query, shownItems), [items, query])
  const current = Math.min(index, found.length - 1)
  useEffect(() => {
    list.current?.querySelector(`#palette-${current}`)?.scrollIntoView({ block: 'nearest' })
  }, [current])
  const choose = (item: PaletteItem | undefined): void => {
    if (item === undefined) return
    onClose()
    // After the palette has given the focus back, so that what it opens may take it.
    setTimeout(item.run)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') setIndex(Math.min(found.length - 1, current + 1))
    else if (event.key === 'ArrowUp') setIndex(Math.max(0, current - 1))
    else if (event.key === 'Enter') choose(found[current])
    else return
    event.preventDefault()
  }
  return (
    <>
      <input
        // biome-ignore lint/a11y/noAutofocus: opening the palette is asking for this field
        autoFocus
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        aria-activedescendant={found.length > 0 ? `palette-${current}` : undefined}
        aria-label="Find nodes, agents, runs, plans and actions"
        placeholder="Node, run, plan or action"
        value={query}
        onChange={(event) => {
          setQuery(event.target.value)
          setIndex(0)
        }}
        onKeyDown={onKeyDown}
        className="h-12 shrink-0 border-b bg-transparent px-4 text-15 outline-none placeholder:text-faint"
      />
      <div ref={list} id="palette-list" role="listbox" aria-label="Found" className="min-h-0 overflow-auto p-1">
        {found.length === 0 && <p className="p-3 text-muted">Nothing is called that.</p>}
        {found.map((item, at) => (
          <PaletteRow
            key={item.id}
            item={item}
            id={`palette-${at}`}
            active={at === current}
            onHover={() => setIndex(at)}
            onChoose={() => choose(item)}
          />
        ))}
      </div>
    </>
  )
}

interface PaletteRowProps {
  readonly item: PaletteItem
  readonly id: string
  readonly active: boolean
  readonly onHover: () => void
  readonly onChoose: () => void
}

function PaletteRow({ item, id, active, onHover, onChoose }: PaletteRowProps) {
  const Icon = icons[item.kind]
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field above handles the keys
    // biome-ignore lint/a11y/useFocusableInteractive: focus stays in the field, which names this row as its active descendant
    <div
      id={id}
      role="option"
      aria-selected={active}
      onPointerMove={onHover}
      onClick={onChoose}
      className={classNames('flex h-8 cursor-pointer items-center gap-3 rounded-sm px-3', active && 'bg-selection')}
    >
      <Icon aria-hidden className="size-4 shrink-0 text-faint" />
      <span className="truncate">{item.label}</span>
      <span className="min-w-0 flex-1 truncate text-12 text-muted">{item.detail}</span>
      {item.keys !== '' && <KeyHint keys={displayKeys(item.keys)} />}
    </div>
  )
}
