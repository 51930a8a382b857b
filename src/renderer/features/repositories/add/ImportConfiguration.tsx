import { useId, useState } from 'react'
import type { RepositoryImport } from '../../../../shared/contract/repositories.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Fact, Facts } from '../../../components/Facts.tsx'
import { Field } from '../../../components/Field.tsx'
import { plural } from '../../../components/format.ts'
import { useReplica, useStale } from '../../../stores/ReplicaContext.tsx'
import { navigate, repositoryHash } from '../../../stores/route.ts'
import { kindWords, planLines } from '../../plans/planWords.ts'
import { cli, placeWords } from '../repositoryWords.ts'

const example = `repository:
  main_repo_path: /home/ops/site
  default_branch: main
  vm_repo_paths:
    vm01: ~/th_timmy
vms:
  vm01: { ip: 10.0.0.11, ssh_user: ops, ssh_port: 22 }
`

/** Takes over what the scripts before us were configured with: read first, then shown, then applied. */
export function ImportConfiguration() {
  const { client } = useLink()
  const stale = useStale()
  const textId = useId()
  const [text, setText] = useState('')
  const [name, setName] = useState('main')
  const [deciding, setDeciding] = useState(false)
  const preview = useCall<RepositoryImport>()
  const apply = useCall<RepositoryImport>()
  const read = (): void => void preview.run(() => client.repositories.import({ text, name: name.trim(), apply: false }))
  const confirm = async (): Promise<void> => {
    const done = await apply.run(() => client.repositories.import({ text, name: name.trim(), apply: true }))
    if (done !== null) navigate(repositoryHash(done.repository.name))
  }
  const found = preview.answer
  return (
    <div className="flex min-h-0 flex-1">
      <div className="flex min-w-0 flex-1 flex-col gap-3 p-4">
        <label htmlFor={textId} className="text-muted">
          The configuration, YAML or JSON, with the sections <code>repository</code>, <code>vms</code> and, where there
          is one, <code>remote_execution</code>
        </label>
        <textarea
          id={textId}
          value={text}
          spellCheck={false}
          placeholder={example}
          onChange={(event) => {
            setText(event.target.value)
            preview.reset()
          }}
          className="min-h-40 flex-1 resize-none rounded-md border border-line-strong bg-ground p-2 font-mono text-12 leading-5 placeholder:text-faint"
        />
        <div className="flex items-end gap-3">
          <Field label="Name of the repository" value={name} onChange={(event) => setName(event.target.value)} />
          <input
            type="file"
            aria-label="File with the configuration"
            accept=".yml,.yaml,.json"
            className="max-w-72 text-12 text-muted file:mr-2 file:h-8 file:cursor-pointer file:rounded-md file:border file:border-solid file:border-line-strong file:bg-raised file:px-3 file:font-medium file:text-text"
            onChange={async (event) => {
              const [chosen] = event.target.files ?? []
              if (chosen === undefined) return
              setText(await chosen.text())
              preview.reset()
            }}
          />
          <Button
            className="ml-auto"
            variant={found === null ? 'primary' : 'default'}
            busy={preview.busy}
            disabled={stale || text.trim() === '' || name.trim() === ''}
            onClick={read}
          >
            Read it
          </Button>
        </div>
        {preview.error !== null && <ErrorNote error={preview.error} />}
      </div>
      <aside
        aria-label="What taking it over would do"
        className="flex w-[400px] shrink-0 flex-col overflow-auto border-l bg-surface"
      >
        {found === null ? (
          <EmptyState title="Nothing was read yet">
            Paste a configuration and read it: what it comes to here is shown before anything is done.
          </EmptyState>
        ) : (
          <Found found={found} onApply={() => setDeciding(true)} />
        )}
      </aside>
      {deciding && found !== null && (
        <DecisionDialog
          open
          onClose={() => setDeciding(false)}
          title={`Take over ${found.repository.name}?`}
          blastRadius={`${plural(found.nodes.length, 'node')} in ${plural(found.plans.length, 'plan')}`}
          effect="The repository, these nodes and these plans are added. Host keys of new nodes are to be accepted before anything is sent to them."
          undo="Remove the plans, the nodes and the repository again."
          confirmLabel="Take it over"
          busy={apply.busy}
          error={apply.error}
          onConfirm={() => void confirm()}
        >
          <CliEquivalent command={cli.importFile(found.repository.name)} />
        </DecisionDialog>
      )}
    </div>
  )
}

function Found({ found, onApply }: { readonly found: RepositoryImport; readonly onApply: () => void }) {
  const existing = useReplica((state) => state.nodes)
  const stale = useStale()
  const { repository, nodes, plans, notes } = found
  const names = new Set([...existing.values()].map(({ name }) => name))
  return (
    <div className="flex flex-col gap-5 p-4">
      <section aria-label="Repository" className="flex flex-col gap-1.5">
        <h2 className="text-12 font-semibold text-faint">Repository</h2>
        <Facts>
          <Fact name="Name">{repository.name}</Fact>
          <Fact name="Where">{placeWords(repository)}</Fact>
          <Fact name="Branch">{repository.defaultBranch}</Fact>
          <Fact name="Scan">
            {repository.scan.enabled
              ? `${repository.scan.tool}${repository.scan.blockOnSecrets ? ', holds syncs back' : ', shows findings only'}`
              : 'switched off'}
          </Fact>
        </Facts>
      </section>
      <section aria-label="Nodes" className="flex flex-col gap-1">
        <h2 className="text-12 font-semibold text-faint">{plural(nodes.length, 'node')}</h2>
        <ul className="flex flex-col gap-0.5">
          {nodes.map(({ name, address, port, user }) => (
            <li key={name} className="flex items-baseline gap-2">
              <span className="min-w-0 truncate">{name}</span>
              <code className="min-w-0 truncate text-12 text-muted">
                {user}@{address}:{port}
              </code>
              <span className="ml-auto shrink-0 text-12 text-faint">{names.has(name) ? 'there already' : 'new'}</span>
            </li>
          ))}
        </ul>
      </section>
      <section aria-label="Plans" className="flex flex-col gap-2">
        <h2 className="text-12 font-semibold text-faint">{plural(plans.length, 'plan')}</h2>
        {plans.map((plan) => (
          <div key={plan.name} className="flex flex-col">
            <span>
              {plan.name} <span className="text-12 text-faint">{kindWords[plan.kind]}</span>
            </span>
            <code className="text-12 text-muted">{plan.selector}</code>
            {planLines(plan).map((line) => (
              <span key={line} className="text-12 break-all text-muted">
                {line}
              </span>
            ))}
          </div>
        ))}
      </section>
      {notes.length > 0 && (
        <section aria-label="Worth knowing" className="flex flex-col gap-1">
          <h2 className="text-12 font-semibold text-faint">Left aside, or meant differently here</h2>
          <ul className="flex flex-col gap-1 text-pending">
            {notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </section>
      )}
      <div>
        <Button variant="primary" disabled={stale} onClick={onApply}>
          Take it over…
        </Button>
      </div>
    </div>
  )
}
