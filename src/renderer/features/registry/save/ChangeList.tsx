import type { EntryChange } from '../../../../shared/contract/registry.ts'
import { classNames } from '../../../components/classNames.ts'
import { formatCount } from '../../../components/format.ts'
import { fieldWords } from '../registryWords.ts'

const shownChanges = 100

const kindWords: Readonly<Record<EntryChange['kind'], { readonly mark: string; readonly colour: string }>> = {
  added: { mark: '+', colour: 'text-in-step' },
  removed: { mark: '−', colour: 'text-error' },
  changed: { mark: '~', colour: 'text-pending' },
}

/** `3 entries: 1 added, 2 changed` */
export function changeWords(changes: readonly EntryChange[]): string {
  const count = (kind: EntryChange['kind']): number => changes.filter((change) => change.kind === kind).length
  const parts = (['added', 'changed', 'removed'] as const).flatMap((kind) =>
    count(kind) === 0 ? [] : [`${formatCount(count(kind))} ${kind}`],
  )
  return parts.length === 0 ? 'no entry changed' : parts.join(', ')
}

/** Entry by entry, field by field. Sensitive values come from the engine as changed, never as themselves. */
export function ChangeList({ changes }: { readonly changes: readonly EntryChange[] }) {
  return (
    <ul aria-label="Changed entries" className="flex flex-col gap-2">
      {changes.slice(0, shownChanges).map((change) => (
        <li key={`${change.kind} ${change.name}`} className="flex flex-col gap-0.5">
          <p className="flex items-baseline gap-2">
            <span aria-hidden className={classNames('w-2 font-mono', kindWords[change.kind].colour)}>
              {kindWords[change.kind].mark}
            </span>
            <span className="min-w-0 truncate font-medium">
              {change.name === '*' ? 'keys beside the lists' : change.name}
            </span>
            <span className="text-12 text-faint">{change.kind}</span>
          </p>
          <ul className="ml-4 flex flex-col">
            {change.fields.map((field) => (
              <li key={field.field} className="grid grid-cols-[96px_minmax(0,1fr)] gap-x-2 text-12">
                <span className="truncate text-muted">{fieldWords(field.field)}</span>
                <FieldChange {...field} kind={change.kind} />
              </li>
            ))}
          </ul>
        </li>
      ))}
      {changes.length > shownChanges && (
        <li className="text-muted">and {formatCount(changes.length - shownChanges)} more entries</li>
      )}
    </ul>
  )
}

type FieldChangeProps = Omit<EntryChange['fields'][number], 'field'> & Pick<EntryChange, 'kind'>

function FieldChange({ before, after, kind }: FieldChangeProps) {
  if (kind === 'added') return <Value json={after} />
  if (kind === 'removed') return <Value json={before} />
  return (
    <span className="flex min-w-0 flex-wrap gap-x-2">
      <Value json={before} />
      <span className="text-faint">to</span>
      <Value json={after} />
    </span>
  )
}

function Value({ json }: { readonly json: string | null }) {
  if (json === null) return <span className="text-faint">nothing</span>
  return <code className="min-w-0 break-all">{json}</code>
}
