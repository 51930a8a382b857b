import { useState } from 'react'
import type { AllowedFinding, Finding, Repository } from '../../../../shared/model/repository.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { Fact, Facts } from '../../../components/Facts.tsx'
import { Field } from '../../../components/Field.tsx'
import { engineNowMs } from '../../../stores/clock.ts'
import { cli } from '../repositoryWords.ts'

interface AllowDialogProps {
  readonly repository: Repository
  readonly finding: Finding
  readonly onClose: () => void
}

const dayMs = 86_400_000
/** What is allowed for good is forgotten for good, so a time comes first. */
const terms = [
  { id: '30', words: '30 days', days: 30 },
  { id: '90', words: '90 days', days: 90 },
  { id: '365', words: 'one year', days: 365 },
  { id: 'never', words: 'for good', days: null },
] as const
type TermId = (typeof terms)[number]['id']

const shortest = 3

/** Takes the blame for a finding, with a reason and an end. */
export function AllowDialog({ repository, finding, onClose }: AllowDialogProps) {
  const { client } = useLink()
  const call = useCall<AllowedFinding>()
  const [reason, setReason] = useState('')
  const [term, setTerm] = useState<TermId>('90')
  const days = terms.find(({ id }) => id === term)?.days ?? null
  const written = reason.trim()
  const confirm = async (): Promise<void> => {
    const expiresAt = days === null ? null : engineNowMs() + days * dayMs
    const request = { repository: repository.id, hash: finding.hash, reason: written, expiresAt }
    if ((await call.run(() => client.repositories.allow(request))) !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      danger
      onClose={onClose}
      title={`Allow this finding in ${finding.file}?`}
      blastRadius="every node that gets this repository"
      effect="What stands there may be sent to the nodes. Your name and the reason are kept with it, and in the audit log. The same value in another file is another finding."
      undo="Allow it no longer: the next sync is held back again. What was sent lies on the nodes."
      confirmLabel="Allow it"
      busy={call.busy}
      incomplete={written.length < shortest}
      error={call.error}
      onConfirm={() => void confirm()}
    >
      <Facts>
        <Fact name="Rule">
          <code className="text-12">{finding.rule}</code>
        </Fact>
        <Fact name="Place">
          <code className="text-12 break-all">
            {finding.file}:{finding.line}
          </code>
        </Fact>
      </Facts>
      <Field
        label="Why it may lie there"
        value={reason}
        maxLength={500}
        problem={reason !== '' && written.length < shortest ? 'Say why, in a few words.' : null}
        hint="For whoever reads this in a year: an example key of the documentation, a test fixture."
        onChange={(event) => setReason(event.target.value)}
      />
      <fieldset className="flex flex-wrap gap-x-4 gap-y-1">
        <legend className="mb-1 text-12 text-muted">Until when</legend>
        {terms.map(({ id, words }) => (
          <label key={id} className="flex items-center gap-2">
            <input
              type="radio"
              name="until when"
              className="accent-accent"
              checked={term === id}
              onChange={() => setTerm(id)}
            />
            {words}
          </label>
        ))}
      </fieldset>
      <CliEquivalent
        command={`${cli.allow(repository.settings.name, finding.hash, written)}${days === null ? '' : ` --expires ${days}d`}`}
      />
    </DecisionDialog>
  )
}
