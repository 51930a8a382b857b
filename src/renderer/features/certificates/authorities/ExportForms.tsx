import { useQuery } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import type { AuthorityExport, AuthorityKind } from '../../../../shared/model/certificate.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { CopyButton } from '../../../components/CopyButton.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { IconButton } from '../../../components/IconButton.tsx'
import { saveBlob } from '../../../components/saveBlob.ts'
import { useRevision } from '../../../stores/ReplicaContext.tsx'
import { trustCli } from '../trustCommands.ts'

/** What a node or client needs in order to trust it, ready to be installed. Public: it may be shown to anybody. */
export function ExportForms({ kind }: { readonly kind: AuthorityKind }) {
  const { client } = useLink()
  const revision = useRevision('authorities')
  const query = useQuery({
    queryKey: ['authority export', kind, revision],
    queryFn: () => client.certificates.exportAuthority({ kind }),
  })
  return (
    <div className="flex flex-col gap-3 border-t pt-3">
      {query.isPending && <p className="text-muted">Reading its public half…</p>}
      {query.error !== null && <ErrorNote error={toErrorBody(query.error)} onRetry={() => void query.refetch()} />}
      {(query.data ?? []).map((form) => (
        <Form key={form.fileName} form={form} />
      ))}
      <CliEquivalent command={trustCli.exportAuthority[kind]} />
    </div>
  )
}

function Form({ form }: { readonly form: AuthorityExport }) {
  const save = (): void => saveBlob(new Blob([form.content], { type: 'text/plain' }), form.fileName)
  return (
    <section aria-label={form.fileName} className="flex flex-col gap-1">
      <div className="flex items-center gap-1">
        <h3 className="min-w-0 flex-1 truncate font-mono text-12 font-semibold">{form.fileName}</h3>
        <CopyButton text={form.content} what={form.fileName} />
        <IconButton label={`Save ${form.fileName}`} icon={<Download className="size-3.5" />} onClick={save} />
      </div>
      <p className="text-12 text-muted">{form.use}</p>
      <pre className="max-h-28 overflow-auto rounded-md border bg-ground px-2 py-1 text-12 break-all whitespace-pre-wrap text-muted">
        {form.content.trimEnd()}
      </pre>
    </section>
  )
}
