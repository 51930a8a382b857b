import { type FormEvent, useState } from 'react'
import { type FleetNode, NodeInput, NodeKind, type OfferedHostKey } from '../../../shared/model/node.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useCall } from '../../api/useCall.ts'
import { Button } from '../../components/Button.tsx'
import { Drawer } from '../../components/Drawer.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { Field } from '../../components/Field.tsx'
import { navigate, nodeHash } from '../../stores/route.ts'
import { Fingerprint } from '../fleet/drawer/AcceptHostKey.tsx'

const emptyForm = {
  name: '',
  address: '',
  port: '22',
  user: 'sync',
  principal: 'sync-agent',
  kind: 'vps' as NodeKind,
  labels: '',
}
type FormState = typeof emptyForm

/** `site=fra stage=live` */
function parseLabels(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split(/[\s,]+/)
      .filter((part) => part !== '')
      .map((part) => {
        const at = part.indexOf('=')
        return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]
      }),
  )
}

type Problems = Readonly<Partial<Record<keyof FormState, string>>>

function validate(form: FormState): { readonly input: NodeInput } | { readonly problems: Problems } {
  const parsed = NodeInput.safeParse({ ...form, port: Number(form.port), labels: parseLabels(form.labels) })
  if (parsed.success) return { input: parsed.data }
  const problems: Record<string, string> = {}
  for (const issue of parsed.error.issues) problems[String(issue.path[0])] ??= issue.message
  return { problems }
}

/** Asks what it is, looks at its host key, and registers it once a person has confirmed the fingerprint. */
export function AddNode({ onClose }: { readonly onClose: () => void }) {
  const { client } = useLink()
  const [form, setForm] = useState<FormState>(emptyForm)
  const [problems, setProblems] = useState<Problems>({})
  const [input, setInput] = useState<NodeInput | null>(null)
  const probe = useCall<{ offered: OfferedHostKey[] }>()
  const change = (patch: Partial<FormState>): void => {
    setForm({ ...form, ...patch })
    setInput(null)
    probe.reset()
  }
  const look = (event: FormEvent): void => {
    event.preventDefault()
    const checked = validate(form)
    setProblems('problems' in checked ? checked.problems : {})
    if (!('input' in checked)) return
    setInput(checked.input)
    void probe.run(() => client.nodes.probeHostKey({ address: checked.input.address, port: checked.input.port }))
  }
  return (
    <Drawer
      label="Add a node"
      paneName="add node"
      onClose={onClose}
      header={<h2 className="text-18 font-semibold">Add a node</h2>}
    >
      <form onSubmit={look} className="flex flex-col gap-3 p-4">
        <NodeFields form={form} problems={problems} onChange={change} />
        <div>
          <Button type="submit" variant={input === null ? 'primary' : 'default'} busy={probe.busy}>
            Look at its host key
          </Button>
        </div>
        {probe.error !== null && <ErrorNote error={probe.error} />}
      </form>
      {input !== null && probe.answer !== null && (
        <Confirm input={input} offered={probe.answer.offered} onClose={onClose} />
      )}
    </Drawer>
  )
}

function NodeFields({
  form,
  problems,
  onChange,
}: {
  readonly form: FormState
  readonly problems: Problems
  readonly onChange: (patch: Partial<FormState>) => void
}) {
  const field = (name: Exclude<keyof FormState, 'kind'>) => ({
    value: form[name],
    problem: problems[name] ?? null,
    onChange: (event: { readonly target: { readonly value: string } }) => onChange({ [name]: event.target.value }),
  })
  return (
    <>
      <Field label="Name" placeholder="contabo-vps" {...field('name')} />
      <div className="grid grid-cols-[1fr_96px] gap-3">
        <Field label="Address" placeholder="203.0.113.7 or a host name" {...field('address')} />
        <Field label="Port" inputMode="numeric" {...field('port')} />
      </div>
      <div className="grid grid-cols-2 gap-3">
        <Field label="Login user" {...field('user')} />
        <Field label="Principal of our certificate" {...field('principal')} />
      </div>
      <label className="flex flex-col gap-1 text-12 text-muted">
        Kind
        <select
          className="h-8 rounded-md border border-line-strong bg-ground px-2 text-13 text-text"
          value={form.kind}
          onChange={(event) => onChange({ kind: event.target.value as NodeKind })}
        >
          {NodeKind.options.map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </select>
      </label>
      <Field label="Labels" placeholder="site=fra stage=live" {...field('labels')} />
    </>
  )
}

function Confirm({
  input,
  offered,
  onClose,
}: {
  readonly input: NodeInput
  readonly offered: readonly OfferedHostKey[]
  readonly onClose: () => void
}) {
  const { client } = useLink()
  const add = useCall<FleetNode>()
  const confirm = async (): Promise<void> => {
    const node = await add.run(() => client.nodes.add({ node: input, hostKeys: [...offered] }))
    if (node === null) return
    onClose()
    navigate(nodeHash(node.id))
  }
  if (offered.length === 0)
    return <p className="px-4 text-pending">Nothing at {input.address} offered a host key. Is it an SSH server?</p>
  return (
    <section aria-label="Host key" className="flex flex-col gap-3 border-t p-4">
      <p>
        {input.address} shows {offered.length === 1 ? 'this key' : 'these keys'}. Compare with what the machine itself
        says: <code className="text-12">ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub</code>
      </p>
      {offered.map((key) => (
        <Fingerprint
          key={key.fingerprint}
          title={`${key.keyType}, ${key.banner}`}
          fingerprint={key.fingerprint}
          strong
        />
      ))}
      {add.error !== null && <ErrorNote error={add.error} />}
      <div className="flex gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button variant="primary" busy={add.busy} onClick={() => void confirm()}>
          It is the same: add {input.name}
        </Button>
      </div>
    </section>
  )
}
