import { useState } from 'react'
import { isJsonText } from '../../../../core/registry/entries.ts'
import type { RegistrySave } from '../../../../shared/contract/registry.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { Field } from '../../../components/Field.tsx'
import { plural } from '../../../components/format.ts'
import { saveBlob } from '../../../components/saveBlob.ts'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate } from '../../../stores/route.ts'
import type { TextFormat } from '../draft/draft.ts'
import { draftStore } from '../draft/draftStore.ts'
import { useNewest } from '../registryQueries.ts'
import { registryWords } from '../registryWords.ts'
import { useRegistryDraft } from '../useRegistryDraft.ts'

/** A registry as a file, and a file as a registry: to another console, or to a backup. */
export function Transfer({ registry }: { readonly registry: RegistryKind }) {
  const stale = useStale()
  const newest = useNewest(registry)
  const [open, setOpen] = useState<'export' | 'import' | null>(null)
  const close = (): void => setOpen(null)
  return (
    <div className="ml-auto flex gap-2">
      <Button size="small" disabled={stale || newest === undefined} onClick={() => setOpen('export')}>
        Export…
      </Button>
      <Button size="small" disabled={stale} onClick={() => setOpen('import')}>
        Import…
      </Button>
      {open === 'export' && <ExportDialog registry={registry} onClose={close} />}
      {open === 'import' && <ImportDialog registry={registry} base={newest?.number ?? 0} onClose={close} />}
    </div>
  )
}

const shortest = 8

function ExportDialog({ registry, onClose }: { readonly registry: RegistryKind; readonly onClose: () => void }) {
  const { client } = useLink()
  const [passphrase, setPassphrase] = useState('')
  const [format, setFormat] = useState<TextFormat>('json')
  const call = useCall<{ readonly text: string; readonly leftOut: number; readonly sealedValues: number }>()
  const isShort = passphrase !== '' && passphrase.length < shortest
  const run = async (): Promise<void> => {
    const sealed = passphrase === '' ? {} : { passphrase }
    const answer = await call.run(() => client.registry.export({ registry, format, ...sealed }))
    if (answer !== null) saveBlob(new Blob([answer.text], { type: 'text/plain' }), `${registry}.${format}`)
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Export the ${registryWords[registry].title}?`}
      blastRadius="no node"
      effect={
        passphrase === ''
          ? 'A file with every entry. Sensitive values are left out.'
          : 'A file with every entry. Sensitive values are sealed with the passphrase.'
      }
      undo="Delete the file."
      confirmLabel="Export to a file"
      busy={call.busy}
      incomplete={isShort}
      error={call.error}
      onConfirm={() => void run()}
    >
      <fieldset className="flex gap-4">
        <legend className="mb-1 text-12 text-muted">Form</legend>
        {(['json', 'yaml'] as const).map((each) => (
          <label key={each} className="flex items-center gap-2">
            <input
              type="radio"
              name="form of the export"
              className="accent-accent"
              checked={format === each}
              onChange={() => setFormat(each)}
            />
            {each === 'json' ? 'JSON' : 'YAML'}
          </label>
        ))}
      </fieldset>
      <Field
        label="Passphrase for sensitive values"
        type="password"
        autoComplete="new-password"
        hint="Empty: they are left out."
        problem={isShort ? `At least ${shortest} characters.` : null}
        value={passphrase}
        onChange={(event) => setPassphrase(event.target.value)}
      />
      {call.answer !== null && (
        <p role="status">
          Exported. {plural(call.answer.sealedValues, 'value')} sealed, {call.answer.leftOut} left out.
        </p>
      )}
      <CliEquivalent command={`lockstep registry export ${registry} --format ${format}`} />
    </DecisionDialog>
  )
}

interface ImportDialogProps {
  readonly registry: RegistryKind
  readonly base: number
  readonly onClose: () => void
}

/**
 * A file without sealed values becomes the draft, to be looked at and saved like any other; one with a passphrase only the
 * engine can open, so it becomes a revision at once.
 */
function ImportDialog({ registry, base, onClose }: ImportDialogProps) {
  const { client } = useLink()
  const { draft } = useRegistryDraft(registry)
  const [file, setFile] = useState<{ readonly name: string; readonly text: string } | null>(null)
  const [passphrase, setPassphrase] = useState('')
  const call = useCall<RegistrySave>()
  const isSealed = passphrase !== ''
  const load = (text: string): void => {
    const format = isJsonText(text) ? 'json' : 'yaml'
    draftStore(registry).replace(format, text)
    navigate(formatHash({ view: 'registry', path: [registry], query: { format } }))
  }
  const save = async (name: string, text: string): Promise<void> => {
    const comment = `imported from ${name}`.slice(0, 500)
    const answer = await call.run(() =>
      client.registry.import({ registry, text, baseNumber: base, comment, passphrase }),
    )
    if (answer?.status !== 'saved') return
    const query = { registry, revision: String(answer.revision.number) }
    navigate(formatHash({ view: 'registry', path: ['history'], query }))
    onClose()
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Import a ${registryWords[registry].title}?`}
      blastRadius={isSealed ? 'the nodes of every plan that delivers it' : 'no node yet'}
      effect={
        isSealed
          ? 'The file becomes a new revision at once. Sensitive values that it leaves out are not in it.'
          : 'The file takes the place of the draft. What it changes is shown there before anything is saved.'
      }
      undo={isSealed ? `Return to revision ${base}.` : 'Undo above the table brings the draft back as it was.'}
      confirmLabel={isSealed ? 'Import the file' : 'Load it into the draft'}
      busy={call.busy}
      incomplete={file === null || draft === null}
      error={call.error}
      onConfirm={() => file !== null && (isSealed ? void save(file.name, file.text) : load(file.text))}
    >
      <input
        type="file"
        aria-label="File to import"
        accept=".json,.yaml,.yml,application/json"
        onChange={async (event) => {
          const [chosen] = event.target.files ?? []
          setFile(chosen === undefined ? null : { name: chosen.name, text: await chosen.text() })
        }}
      />
      <Field
        label="Passphrase of its sensitive values"
        type="password"
        autoComplete="off"
        hint="When it was exported with one."
        value={passphrase}
        onChange={(event) => setPassphrase(event.target.value)}
      />
      {call.answer?.status === 'unchanged' && (
        <p role="status">It says the same as revision {base}. Nothing was saved.</p>
      )}
      {call.answer?.status === 'conflict' && (
        <p role="status" className="text-pending">
          Somebody saved meanwhile. Close this and import again.
        </p>
      )}
      <CliEquivalent command={`lockstep registry import ${registry} ${registry}.json`} />
    </DecisionDialog>
  )
}
