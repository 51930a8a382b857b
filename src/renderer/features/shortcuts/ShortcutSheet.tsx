import { Dialog } from '@base-ui/react/dialog'
import { KeyHint } from '../../components/KeyHint.tsx'
import { useOverlay } from '../../stores/overlays.ts'
import { usePreference } from '../../stores/preferences.ts'
import { type Shortcut, useActiveShortcuts } from '../../stores/shortcuts.ts'
import { displayKeys } from './useGlobalShortcuts.ts'

function byGroup(shortcuts: readonly Shortcut[]): readonly (readonly [string, readonly Shortcut[]])[] {
  const groups = Map.groupBy(
    shortcuts.filter((each) => each.keys !== ''),
    (each) => each.group,
  )
  return [...groups].sort(([first], [second]) => first.localeCompare(second))
}

/** All keys that do something in the view shown now. */
/** Keys of the map itself: they work while it has the focus, and are no actions of the palette. */
const mapKeys: readonly (readonly [string, string])[] = [
  ['← ↑ ↓ →', 'Walk the tiles'],
  ['Enter', 'Open the node'],
  ['Space', 'Select or let go'],
  ['Shift →', 'Select while walking'],
  ['+ -', 'Closer, farther'],
  ['0', 'Everything'],
  ['Ctrl →', 'Move the map'],
]

export function ShortcutSheet() {
  const [open, setOpen] = useOverlay('shortcuts')
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-ground opacity-70" />
        <Dialog.Popup className="fixed top-1/2 left-1/2 z-50 max-h-[85vh] w-[640px] max-w-[92vw] -translate-x-1/2 -translate-y-1/2 overflow-auto rounded-md border border-line-strong bg-raised p-5 shadow-float">
          <Dialog.Title className="mb-3 text-15 font-semibold">Shortcuts</Dialog.Title>
          <SheetBody />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function SheetBody() {
  const shortcuts = useActiveShortcuts()
  const letters = usePreference((state) => state.singleLetterShortcuts)
  return (
    <>
      {!letters && (
        <p className="mb-3 text-pending">
          Single letters are switched off in the settings; those listed here do nothing.
        </p>
      )}
      <div className="columns-2 gap-8">
        {byGroup(shortcuts).map(([group, members]) => (
          <section key={group} className="mb-4 break-inside-avoid">
            <h3 className="mb-1 text-12 text-faint">{group}</h3>
            <ul>
              {members.map((each) => (
                <li key={each.keys + each.label} className="flex h-7 items-center justify-between gap-4">
                  {each.label}
                  <KeyHint keys={displayKeys(each.keys)} />
                  <span className="sr-only">{displayKeys(each.keys)}</span>
                </li>
              ))}
            </ul>
          </section>
        ))}
        <section className="mb-4 break-inside-avoid">
          <h3 className="mb-1 text-12 text-faint">On the map</h3>
          <ul>
            {mapKeys.map(([keys, label]) => (
              <li key={label} className="flex h-7 items-center justify-between gap-4">
                {label}
                <KeyHint keys={keys} />
                <span className="sr-only">{keys}</span>
              </li>
            ))}
            <li className="flex h-7 items-center justify-between gap-4">
              Catch with a lasso <span className="text-12 text-muted">Shift and drag</span>
            </li>
          </ul>
        </section>
      </div>
    </>
  )
}
