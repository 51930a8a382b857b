import { X } from 'lucide-react'
import { type KeyboardEvent, type PointerEvent, type ReactNode, useEffect, useRef } from 'react'
import { usePaneSize } from '../stores/preferences.ts'
import { IconButton } from './IconButton.tsx'

interface DrawerProps {
  /** Name of the drawer for assistive technology. */
  readonly label: string
  readonly header: ReactNode
  readonly onClose: () => void
  /** Its width is remembered under this name. */
  readonly paneName: string
  readonly defaultWidth?: number
  readonly children: ReactNode
  readonly footer?: ReactNode
}

const minWidth = 320
const stepPixels = 24

/** Lies over the view instead of squeezing it; Escape closes it. Takes the focus when it opens, and gives it back. */
export function Drawer({ label, header, onClose, paneName, defaultWidth = 440, children, footer }: DrawerProps) {
  const [storedWidth, setWidth] = usePaneSize(paneName, defaultWidth)
  const panel = useRef<HTMLElement>(null)
  useFocusInside(panel)
  useEscapeFromNowhere(onClose)
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || event.defaultPrevented) return
    event.stopPropagation()
    onClose()
  }
  return (
    <aside
      ref={panel}
      tabIndex={-1}
      aria-label={label}
      onKeyDown={onKeyDown}
      style={{ width: storedWidth }}
      className="absolute inset-y-0 right-0 z-20 flex max-w-[calc(100%-48px)] flex-col border-l border-line-strong bg-surface shadow-float outline-none"
    >
      <ResizeHandle width={storedWidth} onResize={setWidth} />
      <header className="flex shrink-0 items-start gap-2 border-b px-4 py-3">
        <div className="min-w-0 flex-1">{header}</div>
        <IconButton label="Close (Esc)" side="left" icon={<X className="size-4" />} onClick={onClose} />
      </header>
      <div className="min-h-0 flex-1 overflow-auto">{children}</div>
      {footer !== undefined && <footer className="shrink-0 border-t">{footer}</footer>}
    </aside>
  )
}

function useFocusInside(panel: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const before = document.activeElement
    panel.current?.focus({ preventScroll: true })
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
    }
  }, [panel])
}

/** A button that was pressed may be gone and leave the focus on nothing: Escape closes the drawer then too. */
function useEscapeFromNowhere(onClose: () => void): void {
  const latest = useRef(onClose)
  latest.current = onClose
  useEffect(() => {
    const onKeyDown = (event: globalThis.KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.defaultPrevented || event.target !== document.body) return
      latest.current()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [])
}

function ResizeHandle({ width, onResize }: { readonly width: number; readonly onResize: (width: number) => void }) {
  const clamp = (next: number): number => Math.max(minWidth, Math.min(window.innerWidth - 120, next))
  const onPointerMove = (event: PointerEvent<HTMLDivElement>): void => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return
    const right = event.currentTarget.parentElement?.getBoundingClientRect().right ?? window.innerWidth
    onResize(clamp(right - event.clientX))
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowLeft') onResize(clamp(width + stepPixels))
    else if (event.key === 'ArrowRight') onResize(clamp(width - stepPixels))
    else return
    event.preventDefault()
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a window splitter with focus is a separator, not a rule
    <div
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label="Drawer width"
      aria-valuenow={width}
      aria-valuemin={minWidth}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={onPointerMove}
      onKeyDown={onKeyDown}
      className="absolute inset-y-0 -left-1 z-10 w-2 cursor-col-resize touch-none hover:bg-accent/30"
    />
  )
}
