import { type FormEvent, useState } from 'react'
import type { GatewaySettings, GatewayStatus } from '../../../../shared/model/agent.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Field } from '../../../components/Field.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import {
  defaultGatewayPort,
  type GatewayFormState,
  type GatewayProblems,
  gatewayCli,
  isEveryAddress,
  reachSentence,
  readGatewayForm,
} from './gatewayForm.ts'

interface GatewayFormProps {
  /** What it starts from when the gateway is on already. */
  readonly settings: GatewaySettings | null
  readonly onDone?: (status: GatewayStatus) => void
  readonly onCancel?: () => void
}

const initial = (settings: GatewaySettings | null): GatewayFormState => ({
  address: settings?.address ?? '',
  port: String(settings?.port ?? defaultGatewayPort),
  names: settings?.names.join(' ') ?? '',
})

/** Where agents will find this console; says before the press what listens then, and to whom. */
export function GatewayForm({ settings, onDone, onCancel }: GatewayFormProps) {
  const { client } = useLink()
  const stale = useStale()
  const enable = useCall<GatewayStatus>()
  const [form, setForm] = useState(() => initial(settings))
  const [problems, setProblems] = useState<GatewayProblems>({})
  const read = readGatewayForm(form)
  const wanted = 'settings' in read ? read.settings : null
  const change = (name: keyof GatewayFormState) => (event: { readonly target: { readonly value: string } }) => {
    setForm({ ...form, [name]: event.target.value })
    setProblems({ ...problems, [name]: undefined })
  }
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if ('problems' in read) return setProblems(read.problems)
    const status = await enable.run(() => client.gateway.enable(read.settings))
    if (status !== null) onDone?.(status)
  }
  return (
    <form onSubmit={(event) => void submit(event)} aria-label="Gateway" className="flex flex-col gap-3" noValidate>
      <div className="grid grid-cols-[1fr_96px] gap-3">
        <Field
          label="Address to listen at"
          placeholder="10.0.0.5"
          spellCheck={false}
          autoComplete="off"
          value={form.address}
          onChange={change('address')}
          problem={problems.address ?? null}
          hint="Of the machine the engine runs on; “ip address” there lists them."
        />
        <Field
          label="Port"
          inputMode="numeric"
          value={form.port}
          onChange={change('port')}
          problem={problems.port ?? null}
        />
      </div>
      <Field
        label="Names agents reach it by"
        placeholder={nameHint(form.address.trim())}
        spellCheck={false}
        autoComplete="off"
        value={form.names}
        onChange={change('names')}
        problem={problems.names ?? null}
        hint="Host names or addresses, the first one is given to agents. Left empty: the address."
      />
      {wanted !== null && <WhatListens settings={wanted} />}
      {enable.error !== null && <ErrorNote error={enable.error} />}
      <div className="flex gap-2">
        <Button type="submit" variant="primary" busy={enable.busy} disabled={stale}>
          {settings === null ? 'Switch the gateway on' : 'Listen there instead'}
        </Button>
        {onCancel !== undefined && <Button onClick={onCancel}>Leave it</Button>}
      </div>
      {wanted !== null && <CliEquivalent command={gatewayCli.enable(wanted)} />}
    </form>
  )
}

const nameHint = (address: string): string => (address === '' || isEveryAddress(address) ? 'control.internal' : address)

function WhatListens({ settings }: { readonly settings: GatewaySettings }) {
  const port = settings.port === 0 ? 'a free port' : `port ${settings.port}`
  const facts = [
    ['Listens', `HTTPS (TLS 1.3) at ${settings.address}, ${port}, also after a restart, until it is switched off.`],
    [
      'To whom',
      `${reachSentence(settings)} Let in are enrolled agents, by their client certificate, and hosts with a join token. Everyone else is told nothing about the fleet.`,
    ],
    ['Undo', 'Switch it off here. Agents then keep their reports until it is back.'],
  ] as const
  return (
    <dl aria-label="What this does" className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 rounded-md border p-3">
      {facts.map(([name, text]) => (
        <div key={name} className="contents">
          <dt className="text-faint">{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  )
}
