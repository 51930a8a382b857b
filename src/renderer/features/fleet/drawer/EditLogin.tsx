import { type FormEvent, useState } from 'react'
import { type FleetNode, NodePatch } from '../../../../shared/model/node.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Field } from '../../../components/Field.tsx'
import { Section } from './Section.tsx'

interface LoginForm {
  readonly address: string
  readonly port: string
  readonly user: string
}
type Problems = Readonly<Partial<Record<string, string>>>

function validate(form: LoginForm): { readonly patch: NodePatch } | { readonly problems: Problems } {
  const parsed = NodePatch.safeParse({ ...form, port: Number(form.port) })
  if (parsed.success) return { patch: parsed.data }
  return { problems: Object.fromEntries(parsed.error.issues.map((issue) => [String(issue.path[0]), issue.message])) }
}

/** Where the node is and as whom we log in, corrected in place; afterwards it is looked at again. */
export function EditLogin({ node, onClose }: { readonly node: FleetNode; readonly onClose: () => void }) {
  const { client } = useLink()
  const save = useCall<FleetNode>()
  const [form, setForm] = useState<LoginForm>({ address: node.address, port: String(node.port), user: node.user })
  const [problems, setProblems] = useState<Problems>({})
  const field = (name: keyof LoginForm) => ({
    value: form[name],
    problem: problems[name] ?? null,
    onChange: (event: { readonly target: { readonly value: string } }) =>
      setForm({ ...form, [name]: event.target.value }),
  })
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const checked = validate(form)
    setProblems('problems' in checked ? checked.problems : {})
    if (!('patch' in checked)) return
    const saved = await save.run(async () => {
      await client.nodes.update({ node: node.id, patch: checked.patch })
      return client.nodes.check({ node: node.id })
    })
    if (saved !== null) onClose()
  }
  return (
    <Section title="Correct the login">
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-3">
        <div className="grid grid-cols-[1fr_96px] gap-3">
          <Field label="Address" {...field('address')} />
          <Field label="Port" inputMode="numeric" {...field('port')} />
        </div>
        <Field label="Login user" {...field('user')} />
        <div className="flex gap-2">
          <Button type="submit" size="small" variant="primary" busy={save.busy}>
            Save and look again
          </Button>
          <Button size="small" onClick={onClose}>
            Leave it
          </Button>
        </div>
        {save.error !== null && <ErrorNote error={save.error} />}
      </form>
    </Section>
  )
}
