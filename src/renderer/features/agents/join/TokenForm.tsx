import { type FormEvent, useState } from 'react'
import type { GatewayStatus, NewJoinToken } from '../../../../shared/model/agent.ts'
import { DisplayName } from '../../../../shared/model/text.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Field } from '../../../components/Field.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { cli } from '../cliCommands.ts'

const lifetimes = [
  { seconds: 900, label: '15 minutes' },
  { seconds: 3600, label: '1 hour' },
  { seconds: 28_800, label: '8 hours' },
  { seconds: 86_400, label: '1 day' },
  { seconds: 604_800, label: '7 days' },
] as const

const defaultLifetimeSeconds = 3600

interface TokenFormProps {
  readonly gateway: GatewayStatus
  readonly onMade: (newToken: NewJoinToken) => void
}

/** Asks for a permission to enroll one host, once. */
export function TokenForm({ gateway, onMade }: TokenFormProps) {
  const { client } = useLink()
  const stale = useStale()
  const create = useCall<NewJoinToken>()
  const [name, setName] = useState('')
  const [lifetimeSeconds, setLifetimeSeconds] = useState(defaultLifetimeSeconds)
  const [problem, setProblem] = useState<string | null>(null)
  const nodeName = name.trim() === '' ? null : name.trim()
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const checked = DisplayName.nullable().safeParse(nodeName)
    setProblem(checked.success ? null : (checked.error.issues[0]?.message ?? null))
    if (!checked.success) return
    const made = await create.run(() => client.agents.createJoinToken({ nodeName: checked.data, lifetimeSeconds }))
    if (made !== null) onMade(made)
  }
  return (
    <section aria-labelledby="make-a-token" className="flex flex-col gap-3">
      <h3 id="make-a-token" className="font-semibold">
        Create a join token
      </h3>
      <p className="text-muted">
        It lets one host enroll, once, at <code className="text-12 break-all text-text">{gateway.url}</code>. The host
        checks this console by the fingerprint in the token before it says anything.
      </p>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-3">
        <Field
          label="Name of its node"
          placeholder="the host's own name"
          autoComplete="off"
          spellCheck={false}
          value={name}
          problem={problem}
          onChange={(event) => setName(event.target.value)}
        />
        <label className="flex flex-col gap-1 text-12 text-muted">
          The token can be used for
          <select
            className="h-8 rounded-md border border-line-strong bg-ground px-2 text-13 text-text"
            value={lifetimeSeconds}
            onChange={(event) => setLifetimeSeconds(Number(event.target.value))}
          >
            {lifetimes.map(({ seconds, label }) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <div>
          <Button type="submit" variant="primary" busy={create.busy} disabled={stale}>
            Create the token
          </Button>
        </div>
        {create.error !== null && <ErrorNote error={create.error} />}
        <CliEquivalent command={cli.join(nodeName, lifetimeSeconds)} />
      </form>
    </section>
  )
}
