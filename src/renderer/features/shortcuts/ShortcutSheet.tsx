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
      </div>
    </>
  )
}
