import { useEffect, useMemo, useState } from 'react'
import type { RegistryProblem, RegistrySave } from '../../../shared/contract/registry.ts'
import type { RegistryKind, RegistryRevision } from '../../../shared/model/registry.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { classNames } from '../../components/classNames.ts'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { useStale } from '../../stores/ReplicaContext.tsx'
import { updateQuery } from '../../stores/route.ts'
import { Discard } from './draft/Discard.tsx'
import { DraftBar } from './draft/DraftBar.tsx'
import { type Draft, draftOf, draftText, isChanged, isReadable, type TextFormat } from './draft/draft.ts'
import { draftStore } from './draft/draftStore.ts'
import { placeOfPath, problemKeyOf } from './draft/entries.ts'
import { type Checked, useCheck } from './draft/useCheck.ts'
import { useNewest } from './registryQueries.ts'
import { SavedNote } from './SavedNote.tsx'
import { type Conflict, MergeView } from './save/MergeView.tsx'
import { SaveDialog } from './save/SaveDialog.tsx'
import type { GridTarget } from './table/EntryGrid.tsx'
import { tableRows } from './table/rows.ts'
import { TableView } from './table/TableView.tsx'
import type { TextTarget } from './text/TextEditor.tsx'
import { TextView } from './text/TextView.tsx'
import { useRegistryDraft } from './useRegistryDraft.ts'

interface EntriesViewProps {
  readonly registry: RegistryKind
  readonly asText: boolean
  readonly format: TextFormat
}

/** A registry to be edited: one draft, as a table or as a text. */
export function EntriesView(props: EntriesViewProps) {
  const { draft, error, retry } = useRegistryDraft(props.registry)
  if (draft === null && error !== null)
    return (
      <div className="p-4">
        <ErrorNote error={error} onRetry={retry} />
      </div>
    )
  if (draft === null) return <EmptyState title="Loading the registry" />
  return <Editor {...props} draft={draft} />
}

const noProblems: readonly RegistryProblem[] = []

const problemsOf = ({ status, result }: Checked): readonly RegistryProblem[] =>
  status !== 'unasked' && result?.status === 'invalid' ? result.problems : noProblems

function Editor({ registry, asText, format, draft }: EntriesViewProps & { readonly draft: Draft }) {
  const store = draftStore(registry)
  const isPage = useLink().shell.kind === 'web'
  const stale = useStale()
  const newest = useNewest(registry)
  const changed = useMemo(() => isChanged(draft), [draft])
  const usedFormat = draft.typed?.format ?? format
  const text = useMemo(() => draftText(draft, usedFormat), [draft, usedFormat])
  const check = useCheck(registry, changed ? text : null, newest?.number ?? 0)
  const problems = changed ? problemsOf(check) : noProblems
  const [step, setStep] = useState<'edit' | 'save' | 'discard' | Conflict>('edit')
  const [saved, setSaved] = useState<RegistryRevision | null>(null)
  const [gridTarget, setGridTarget] = useState<GridTarget | null>(null)
  const [textTarget, setTextTarget] = useState<TextTarget | null>(null)
  useLeaveWarning(changed && isPage)
  useEffect(() => {
    if (changed) setSaved(null)
  }, [changed])

  const jump = (problem: RegistryProblem): void => {
    const found = asText ? null : targetOf(draft, problem)
    if (found !== null) {
      setGridTarget(found)
      return
    }
    setTextTarget({ line: problem.line, column: problem.column })
    if (!asText) updateQuery({ as: 'text' })
  }
  const onAnswer = (answer: RegistrySave, kept: string | null): void => {
    setStep(answer.status === 'conflict' ? answer : 'edit')
    if (answer.status === 'conflict') return
    setSaved(answer.revision)
    store.begin(draftOf(registry, { number: answer.revision.number, text: kept ?? draftText(draft, 'json') }))
  }
  if (typeof step === 'object')
    return (
      <MergeView
        registry={registry}
        conflict={step}
        draft={draft}
        onBack={() => setStep('edit')}
        onSettled={(next) => {
          store.rebase(next)
          setStep('edit')
        }}
      />
    )
  return (
    <div className="flex h-full min-h-0 flex-col">
      {saved !== null && <SavedNote revision={saved} onClose={() => setSaved(null)} />}
      <div className={classNames('min-h-0 flex-1', stale && !changed && 'stale')}>
        {asText ? (
          <TextView
            registry={registry}
            draft={draft}
            format={usedFormat}
            text={text}
            problems={problems}
            target={textTarget}
          />
        ) : (
          <TableView registry={registry} draft={draft} problems={problems} target={gridTarget} />
        )}
      </div>
      <DraftBar
        registry={registry}
        changed={changed}
        baseNumber={draft.baseNumber}
        newest={newest}
        check={check}
        problems={problems}
        onJump={jump}
        onDiscard={() => setStep('discard')}
        onSave={() => setStep('save')}
      />
      {step === 'save' && check.result?.status === 'valid' && (
        <SaveDialog
          registry={registry}
          text={text}
          format={usedFormat}
          baseNumber={draft.baseNumber}
          check={check.result}
          onClose={() => setStep('edit')}
          onAnswer={onAnswer}
        />
      )}
      {step === 'discard' && <Discard registry={registry} newest={newest} onClose={() => setStep('edit')} />}
    </div>
  )
}

/** The cell that a mistake is about; null when only the text can show it. */
function targetOf(draft: Draft, { path }: RegistryProblem): GridTarget | null {
  const place = placeOfPath(draft.registry, path)
  if (place === null || !isReadable(draft)) return null
  const row = tableRows(draft, []).find(({ entry, state }) => {
    return state !== 'removed' && problemKeyOf(draft.registry, entry) === place.key
  })
  return row === undefined ? null : { rowId: row.id, columnId: place.field ?? 'name', edit: false }
}

/** Closing the page asks first: a draft lives in memory alone. A window of the desktop would not ask but stay open. */
function useLeaveWarning(changed: boolean): void {
  useEffect(() => {
    if (!changed) return
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault()
    window.addEventListener('beforeunload', warn)
    return () => window.removeEventListener('beforeunload', warn)
  }, [changed])
}
