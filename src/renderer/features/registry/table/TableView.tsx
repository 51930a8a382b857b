import { Plus, Redo2, RotateCcw, Trash2, Undo2 } from 'lucide-react'
import { useMemo, useRef, useState } from 'react'
import type { RegistryProblem } from '../../../../shared/contract/registry.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { Button } from '../../../components/Button.tsx'
import { classNames } from '../../../components/classNames.ts'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { formatCount } from '../../../components/format.ts'
import { IconButton } from '../../../components/IconButton.tsx'
import { updateQuery, useRoute } from '../../../stores/route.ts'
import { useShortcuts } from '../../../stores/shortcuts.ts'
import { type Draft, isReadable } from '../draft/draft.ts'
import { draftStore, useSteps } from '../draft/draftStore.ts'
import { rowId, withEntryOf, withNewEntry, withoutEntries, withValue } from '../draft/entries.ts'
import { registryWords } from '../registryWords.ts'
import { textsOf, useColumns } from './columns.tsx'
import { EntryGrid, type GridTarget } from './EntryGrid.tsx'
import type { GridColumn } from './gridColumn.ts'
import { MissingNodes } from './MissingNodes.tsx'
import { chosenRows, type RowChoice, type TableRow, tableRows } from './rows.ts'

interface TableViewProps {
  readonly registry: RegistryKind
  readonly draft: Draft
  readonly problems: readonly RegistryProblem[]
  readonly target: GridTarget | null
}

const choices: readonly { readonly id: RowChoice; readonly label: string }[] = [
  { id: 'all', label: 'All' },
  { id: 'changed', label: 'Changed' },
  { id: 'wrong', label: 'With mistakes' },
]

/** The draft as a table. */
export function TableView({ registry, draft, problems, target }: TableViewProps) {
  const store = draftStore(registry)
  const { query } = useRoute()
  const [choice, setChoice] = useState<RowChoice>('all')
  const [ownTarget, setOwnTarget] = useState<GridTarget | null>(null)
  const columns = useColumns(registry)
  const locked = !isReadable(draft)
  const rows = useMemo(() => tableRows(draft, problems), [draft, problems])
  const shown = useMemo(() => chosenRows(rows, { text: query.q ?? '', choice }, textsOf), [rows, query.q, choice])
  const newest = useNewestTarget(target, ownTarget)

  const add = (): void => {
    if (locked) return
    setChoice('all')
    if ((query.q ?? '') !== '') updateQuery({ q: undefined }, { replace: true })
    store.change((root) => {
      const next = withNewEntry(registry, root)
      setOwnTarget({ rowId: rowId(next.place), columnId: 'name', edit: true })
      return next.root
    })
  }
  const edit = (row: TableRow, field: string, text: string): void =>
    store.change((root) => filledIn(registry, withValue(root, row.entry.place, { field, text }), { row, field, text }))
  const remove = (row: TableRow): void => {
    if (locked) return
    store.change((root) =>
      row.state === 'removed'
        ? withEntryOf(registry, root, { name: row.entry.name, from: draft.base })
        : withoutEntries(root, [row.entry.place]),
    )
  }
  const latestRemove = useRef(remove)
  latestRemove.current = remove
  const withActions = useMemo(() => withAction(columns, locked, (row) => latestRemove.current(row)), [columns, locked])
  const counts: Readonly<Record<RowChoice, number>> = {
    all: rows.length,
    changed: rows.filter(({ state }) => state !== 'same').length,
    wrong: rows.filter((row) => row.problems.size > 0).length,
  }
  return (
    <div className="flex h-full min-h-0 flex-col">
      <Toolbar registry={registry} choice={choice} counts={counts} locked={locked} onChoice={setChoice} onAdd={add} />
      {locked && <Unreadable />}
      {registry === 'nodes' && !locked && <MissingNodes draft={draft} />}
      <div className="min-h-0 flex-1">
        <EntryGrid
          label={registry === 'services' ? 'Services' : 'Registered nodes'}
          rows={shown}
          columns={withActions}
          target={newest}
          locked={locked}
          empty={<Empty registry={registry} filtered={rows.length > 0} onAdd={add} />}
          onEdit={edit}
          onRemove={remove}
          onAdd={add}
          onUndo={() => store.undo()}
          onRedo={() => store.redo()}
        />
      </div>
    </div>
  )
}

/** The wish that came last. */
function useNewestTarget(outer: GridTarget | null, own: GridTarget | null): GridTarget | null {
  const last = useRef<{ outer: GridTarget | null; own: GridTarget | null; newest: GridTarget | null }>({
    outer: null,
    own: null,
    newest: null,
  })
  if (outer !== last.current.outer) last.current = { outer, own, newest: outer }
  if (own !== last.current.own) last.current = { outer, own, newest: own }
  return last.current.newest
}

/** A new service is reached under its name unless somebody says otherwise. */
function filledIn(
  registry: RegistryKind,
  root: ReturnType<typeof withValue>,
  { row, field, text }: { readonly row: TableRow; readonly field: string; readonly text: string },
): ReturnType<typeof withValue> {
  const isFirstName = registry === 'services' && field === 'name' && row.entry.name === ''
  if (!isFirstName || row.entry.values.subdomain !== '' || !/^[a-z0-9-]+$/.test(text)) return root
  return withValue(root, row.entry.place, { field: 'subdomain', text })
}

function withAction(
  columns: readonly GridColumn[],
  locked: boolean,
  onRemove: (row: TableRow) => void,
): readonly GridColumn[] {
  if (locked) return columns
  return [
    ...columns,
    {
      id: 'action',
      header: '',
      width: '52px',
      edit: null,
      cell: (row) => (
        <IconButton
          label={row.state === 'removed' ? `Put ${row.entry.name} back` : `Take ${row.entry.name} out`}
          side="left"
          tabIndex={-1}
          className={classNames(
            'size-6',
            row.state !== 'removed' && 'opacity-0 group-hover/row:opacity-100 focus-visible:opacity-100',
          )}
          icon={row.state === 'removed' ? <RotateCcw className="size-3.5" /> : <Trash2 className="size-3.5" />}
          onClick={(event) => {
            event.stopPropagation()
            onRemove(row)
          }}
        />
      ),
    },
  ]
}

interface ToolbarProps {
  readonly registry: RegistryKind
  readonly choice: RowChoice
  readonly counts: Readonly<Record<RowChoice, number>>
  readonly locked: boolean
  readonly onChoice: (choice: RowChoice) => void
  readonly onAdd: () => void
}

function Toolbar({ registry, choice, counts, locked, onChoice, onAdd }: ToolbarProps) {
  const { query } = useRoute()
  const store = draftStore(registry)
  const { canUndo, canRedo } = useSteps(registry)
  const filter = useRef<HTMLInputElement>(null)
  const { entry } = registryWords[registry]
  useShortcuts([{ keys: '/', label: 'Filter', group: 'Registry', run: () => filter.current?.focus() }])
  return (
    <div className="flex shrink-0 flex-wrap items-center gap-2 border-b px-4 py-1.5">
      <input
        ref={filter}
        type="search"
        aria-label={`Filter ${entry}s`}
        placeholder="Filter"
        spellCheck={false}
        value={query.q ?? ''}
        onChange={(event) => updateQuery({ q: event.target.value }, { replace: true })}
        className="h-7 w-56 rounded-md border border-line-strong bg-ground px-2 placeholder:text-faint"
      />
      <fieldset aria-label="Which rows" className="flex gap-1">
        {choices.map(({ id, label }) => (
          <button
            key={id}
            type="button"
            aria-pressed={choice === id}
            onClick={() => onChoice(id)}
            className={classNames(
              'h-7 rounded-md px-2 text-muted hover:bg-hover hover:text-text',
              choice === id && 'bg-selection text-text',
              id === 'wrong' && counts.wrong > 0 && 'text-error',
            )}
          >
            {label} {formatCount(counts[id])}
          </button>
        ))}
      </fieldset>
      <p className="ml-auto hidden text-12 text-faint xl:block">Enter edits, Delete takes out, Insert adds</p>
      <div className="ml-auto flex items-center gap-1 xl:ml-2">
        <IconButton
          label="Undo (Ctrl+Z)"
          icon={<Undo2 className="size-4" />}
          disabled={!canUndo}
          onClick={() => store.undo()}
        />
        <IconButton
          label="Redo (Ctrl+Shift+Z)"
          icon={<Redo2 className="size-4" />}
          disabled={!canRedo}
          onClick={() => store.redo()}
        />
        <Button disabled={locked} icon={<Plus aria-hidden className="size-4" />} onClick={onAdd}>
          Add a {entry}
        </Button>
      </div>
    </div>
  )
}

function Unreadable() {
  return (
    <div role="status" className="flex shrink-0 items-center gap-3 border-b border-pending bg-raised px-4 py-1.5">
      <p className="min-w-0 flex-1">
        The text cannot be read, so the table shows what was there before it was changed. Nothing of the text is lost.
      </p>
      <Button size="small" onClick={() => updateQuery({ as: 'text' })}>
        Go to the text
      </Button>
    </div>
  )
}

interface EmptyProps {
  readonly registry: RegistryKind
  readonly filtered: boolean
  readonly onAdd: () => void
}

function Empty({ registry, filtered, onAdd }: EmptyProps) {
  if (filtered) return <p className="p-4 text-muted">No row fits.</p>
  const { entry } = registryWords[registry]
  return (
    <div className="py-16">
      <EmptyState title={`No ${entry}s yet`} actions={<Button onClick={onAdd}>Add a {entry}</Button>}>
        {registry === 'services'
          ? 'A service has a name, a subdomain, an address and a port. Public ones become routes on every VPS, all of them lines in the hosts file of laptops and workers. Paste what you have under Text, or follow a file or a ConfigMap under Sources.'
          : 'The lists of laptops, VPS and workers as other programs keep them. Paste what you have under Text, or follow a file or a ConfigMap under Sources.'}
      </EmptyState>
    </div>
  )
}
