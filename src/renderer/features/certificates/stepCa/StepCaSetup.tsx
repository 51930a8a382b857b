import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { StepCaSettings } from '../../../../shared/model/stepCa.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Field } from '../../../components/Field.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { trustCli } from '../trustCommands.ts'

interface StepCaSetupProps {
  /** What is kept now; null for the first set-up. */
  readonly settings: StepCaSettings | null
  readonly onSaved: () => void
  readonly onCancel?: () => void
}

type Problems = Readonly<Partial<Record<string, string>>>

/** Fingerprints are often copied with colons or in capitals; both mean the same. */
const plainFingerprint = (text: string): string => text.replaceAll(/[:\s]/g, '').toLowerCase()

/** Where it is and how we are known there. Kept only after a real signature has proven all of it. */
export function StepCaSetup({ settings, onSaved, onCancel }: StepCaSetupProps) {
  const { client } = useLink()
  const stale = useStale()
  const [form, setForm] = useState(settings ?? { url: '', rootFingerprint: '', provisioner: 'sync-provisioner' })
  const [password, setPassword] = useState('')
  const [problems, setProblems] = useState<Problems>({})
  const configure = useMutation({
    mutationFn: (checked: StepCaSettings) => client.stepCa.configure({ settings: checked, password }),
    onSettled: () => setPassword(''),
    onSuccess: onSaved,
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const parsed = StepCaSettings.safeParse({ ...form, rootFingerprint: plainFingerprint(form.rootFingerprint) })
    const found = parsed.success
      ? {}
      : Object.fromEntries(parsed.error.issues.map((issue) => [String(issue.path[0]), issue.message]))
    const missing = password === '' ? { password: 'step-ca asks for the password of the provisioner' } : {}
    setProblems({ ...found, ...missing })
    if (parsed.success && password !== '') configure.mutate(parsed.data)
  }
  const field = (name: keyof typeof form) => ({
    value: form[name],
    problem: problems[name] ?? null,
    spellCheck: false,
    onChange: (event: { readonly target: { readonly value: string } }) =>
      setForm({ ...form, [name]: event.target.value }),
  })
  return (
    <section aria-label="Set up step-ca" className="flex flex-col gap-3">
      <div>
        <h2 className="text-15 font-semibold">{settings === null ? 'Set up a step-ca' : 'Change the step-ca'}</h2>
        <p className="max-w-2xl text-muted">
          Optional: the embedded authority needs none. With a step-ca of your own, it signs the user certificates and
          our policy still decides what is asked for. Before anything is kept, one certificate is really signed.
        </p>
      </div>
      <form onSubmit={submit} className="flex max-w-xl flex-col gap-3">
        <Field label="Address" placeholder="https://ca.internal:9000" {...field('url')} />
        <Field
          label="Fingerprint of its root certificate"
          placeholder="64 hexadecimal digits"
          hint="On its machine: step certificate fingerprint ~/.step/certs/root_ca.crt. We talk to no other."
          {...field('rootFingerprint')}
        />
        <Field label="Provisioner" hint="Of type JWK, restricted to our principal." {...field('provisioner')} />
        <Field
          label="Password of the provisioner"
          type="password"
          autoComplete="off"
          hint="Sealed by the key vault; it never comes back to this page."
          value={password}
          problem={problems.password ?? null}
          onChange={(event) => setPassword(event.target.value)}
        />
        {configure.error !== null && <ErrorNote error={toErrorBody(configure.error)} />}
        <div className="flex gap-2">
          <Button type="submit" variant="primary" busy={configure.isPending} disabled={stale}>
            Prove it and keep it
          </Button>
          {onCancel !== undefined && <Button onClick={onCancel}>Leave it</Button>}
        </div>
      </form>
      <div className="max-w-xl">
        <CliEquivalent
          command={trustCli.stepSetup(
            form.url === '' ? 'https://ca.internal:9000' : form.url,
            form.rootFingerprint === '' ? 'fingerprint' : plainFingerprint(form.rootFingerprint),
            form.provisioner,
          )}
        />
      </div>
    </section>
  )
}
