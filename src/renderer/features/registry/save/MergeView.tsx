import { useMemo, useState } from 'react'
import type { MergeConflict, RegistrySave } from '../../../../shared/contract/registry.ts'
import type { RegistryKind, RegistryRevision } from '../../../../shared/model/registry.ts'
import { Button } from '../../../components/Button.tsx'
import { classNames } from '../../../components/classNames.ts'
import { Diff } from '../../../components/Diff.tsx'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { plural } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { contentOf, type Draft, formatRoot } from '../draft/draft.ts'
import { useRevisionText } from '../registryQueries.ts'
import { fieldWords } from '../registryWords.ts'
import { unifiedDiff } from '../unifiedDiff.ts'
import { fieldVersions, mergedDraft, type Pick } from './merge.ts'

export type Conflict = Extract<RegistrySave, { status: 'conflict' }>

interface MergeViewProps {
  readonly registry: RegistryKind
  readonly conflict: Conflict
  readonly draft: Draft
  /** Back to the editor as it was. */
  readonly onBack: () => void
  readonly onSettled: (draft: Draft) => void
}

/** Two people saved: who the other one was, what goes together by itself, and what somebody has to decide. */
export function MergeView({ registry, conflict, draft, onBack, onSettled }: MergeViewProps) {
  const { current, conflicts, merged } = conflict
  const theirs = useRevisionText(registry, current.number)
  const [picks, setPicks] = useState<ReadonlyMap<string, Pick>>(new Map())
  const text = theirs.data?.text
  const settled = useMemo(
    () =>
      text === undefined
        ? null
        : mergedDraft(
            { registry, merged, conflicts, ours: contentOf(draft), theirs: { number: current.number, text } },
            picks,
          ),
    [registry, merged, conflicts, draft, current.number, text, picks],
  )
  const open = conflicts.filter(({ name }) => !picks.has(name)).length
  if (settled === null) return <EmptyState title="Loading what was saved meanwhile" />
  return (
    <section aria-label="Two saves" className="flex h-full min-h-0 flex-col">
      <MergeHeader current={current} baseNumber={draft.baseNumber} />
      <div className="grid min-h-0 flex-1 grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <ul aria-label="Entries that clash" className="min-h-0 overflow-auto border-r">
          {conflicts.length === 0 && (
            <li className="p-4 text-muted">Nothing clashes: both changes go together as they are.</li>
          )}
          {conflicts.map((each) => (
            <ConflictCard
              key={each.name}
              conflict={each}
              pick={picks.get(each.name)}
              onPick={(pick) => setPicks(new Map(picks).set(each.name, pick))}
            />
          ))}
        </ul>
        <Result draft={settled} number={current.number} />
      </div>
      <footer className="flex shrink-0 items-center justify-end gap-2 border-t bg-surface px-4 py-2">
        <p className="mr-auto text-muted">
          {open === 0 ? 'Every clash is decided.' : `${plural(open, 'clash', 'clashes')} to decide.`}
        </p>
        <Button onClick={onBack}>Back to the draft</Button>
        <Button variant="primary" disabled={open > 0} onClick={() => onSettled(settled)}>
          Go on with both…
        </Button>
      </footer>
    </section>
  )
}

function MergeHeader({ current, baseNumber }: { readonly current: RegistryRevision; readonly baseNumber: number }) {
  return (
    <div role="status" className="shrink-0 border-b border-pending bg-raised px-4 py-2">
      <p>
        <span className="font-semibold">{current.author}</span> saved revision {current.number} <Time at={current.at} />
        {current.comment !== '' && <>: “{current.comment}”</>}. Your draft began with revision {baseNumber}. Nothing of
        either is lost.
      </p>
    </div>
  )
}

interface ConflictCardProps {
  readonly conflict: MergeConflict
  readonly pick: Pick | undefined
  readonly onPick: (pick: Pick) => void
}

function ConflictCard({ conflict, pick, onPick }: ConflictCardProps) {
  const fields = fieldVersions(conflict)
  const sides = [
    ['ours', 'Yours', conflict.ours],
    ['theirs', 'Theirs', conflict.theirs],
  ] as const
  return (
    <li className="border-b p-4">
      <fieldset>
        <legend className="mb-2 font-semibold">
          {conflict.name === '*' ? 'Keys beside the lists' : conflict.name}
        </legend>
        <table className="w-full table-fixed text-12">
          <thead className="text-left text-faint">
            <tr>
              <th className="w-24 font-normal">field</th>
              <th className="font-normal">before both</th>
              <th className="font-normal">yours</th>
              <th className="font-normal">theirs</th>
            </tr>
          </thead>
          <tbody>
            {fields.map(({ field, base, ours, theirs, clash }) => (
              <tr key={field} className={classNames('align-top', clash && 'bg-pending/10')}>
                <th scope="row" className="truncate text-left font-normal text-muted">
                  {fieldWords(field)}
                </th>
                {[base, ours, theirs].map((json, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: three columns that never move
                  <td key={index} className="pr-2 break-all">
                    {json === null ? <span className="text-faint">nothing</span> : <code>{json}</code>}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        <div className="mt-2 flex gap-4">
          {sides.map(([side, words, json]) => (
            <label key={side} className="flex items-center gap-2">
              <input
                type="radio"
                className="accent-accent"
                name={`pick ${conflict.name}`}
                checked={pick === side}
                onChange={() => onPick(side)}
              />
              {json === null ? `${words}: taken out` : words}
            </label>
          ))}
        </div>
      </fieldset>
    </li>
  )
}

const shownLines = 400

function Result({ draft, number }: { readonly draft: Draft; readonly number: number }) {
  const diff = useMemo(() => unifiedDiff(formatRoot(draft.base, 'yaml'), formatRoot(draft.root, 'yaml')), [draft])
  return (
    <section aria-label="What would be saved" className="flex min-h-0 flex-col gap-2 overflow-auto p-4">
      <h2 className="text-12 font-semibold text-faint">Against revision {number}</h2>
      {diff === '' ? (
        <p className="text-muted">The same as revision {number}: nothing of yours is left to save.</p>
      ) : (
        <Diff label="Yours and theirs together" text={diff.split('\n').slice(0, shownLines).join('\n')} />
      )}
      <p className="text-12 text-muted">
        Whatever you decide goes back into your draft: there every field can still be changed before it is saved.
      </p>
    </section>
  )
}
