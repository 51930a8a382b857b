import { type FormEvent, useId, useState } from 'react'
import type { StorageSettings } from '../../../../../shared/model/storage.ts'
import { Button } from '../../../../components/Button.tsx'
import { Field } from '../../../../components/Field.tsx'
import { type FormProblems, formOf, readForm, type SettingsForm } from './settingsForm.ts'

interface StorageSettingsFormProps {
  readonly initial: StorageSettings | null
  readonly onNext: (settings: StorageSettings) => void
}

/** Who logs in, with what, and how somebody gets in when no certificate is left. */
export function StorageSettingsForm({ initial, onNext }: StorageSettingsFormProps) {
  const [form, setForm] = useState(() => formOf(initial))
  const [problems, setProblems] = useState<FormProblems>({})
  const wayName = useId()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const read = readForm(form)
    setProblems('problems' in read ? read.problems : {})
    if ('settings' in read) onNext(read.settings)
  }
  const field = (name: 'user' | 'principals' | 'note' | 'publicKey') => ({
    value: form[name],
    problem: problems[name] ?? null,
    onChange: (event: { readonly target: { readonly value: string } }) =>
      setForm({ ...form, [name]: event.target.value }),
  })
  const way = (value: SettingsForm['way'], title: string, what: string) => (
    <label className="flex items-start gap-2">
      <input
        type="radio"
        name={wayName}
        className="mt-1 accent-accent"
        checked={form.way === value}
        onChange={() => setForm({ ...form, way: value })}
      />
      <span>
        {title} <span className="block text-muted">{what}</span>
      </span>
    </label>
  )
  return (
    <form onSubmit={submit} className="flex flex-col gap-4 p-4">
      <p className="rounded-md border border-pending px-3 py-2">
        From then on <strong className="font-semibold">only certificates log in</strong> to this node: keys in
        authorized_keys and passwords no longer do. When every certificate has expired and none can be signed, nobody
        gets in over SSH. So name a way around first.
      </p>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1 font-semibold">Break-glass: the way in when no certificate is left</legend>
        {way(
          'console',
          'The console of the machine',
          'A way around SSH that you have tried: console, KVM, rescue system.',
        )}
        {form.way === 'console' && (
          <Field
            label="Which, and who can use it"
            placeholder="e.g. Hetzner console, login in the safe, tried on 3 March"
            maxLength={500}
            className="ml-6"
            {...field('note')}
          />
        )}
        {way('second-authority', 'A second authority', 'Kept offline; sshd trusts its certificates, too.')}
        {form.way === 'second-authority' && (
          <Field
            label="Its public key"
            placeholder="ssh-ed25519 AAAA… break-glass"
            spellCheck={false}
            className="ml-6"
            {...field('publicKey')}
          />
        )}
      </fieldset>
      <fieldset className="flex flex-col gap-3">
        <legend className="mb-1 font-semibold">Who logs in</legend>
        <Field label="Login user" hint="The account on the node." spellCheck={false} {...field('user')} />
        <Field
          label="Principals"
          hint="Names a certificate may carry to log in as this user; separated by spaces."
          spellCheck={false}
          {...field('principals')}
        />
      </fieldset>
      <div>
        <Button type="submit" variant="primary">
          See what would change
        </Button>
      </div>
    </form>
  )
}
